/**
 * Owns the rows of the table of gateways: what their leases say, and what a
 * demo knows better of the processes it started. Pure.
 */

/**
 * @typedef {import('../net/history.js').NodeRow} NodeRow
 * @typedef {{ key: string, node: string, state: string, lease_ms: number | null, actors: number,
 *   sockets: number }} GatewayRow
 */

/** @param {NodeRow} row */
const stateOf = ({ alive, draining }) => (draining ? 'draining' : alive ? 'alive' : 'gone');

/**
 * @param {readonly NodeRow[]} nodes as /v1/nodes has them, run out or not
 * @param {readonly { node: string, state: string }[]} shown the demo's processes; empty without a demo
 * @returns {GatewayRow[]}
 */
export function gatewayRows(nodes, shown) {
  const rows = nodes.map((row) => ({
    key: `${row.node} ${row.session}`,
    node: row.node,
    state: stateOf(row),
    lease_ms: row.lease_age_ms,
    actors: row.activations,
    sockets: row.sockets,
  }));
  for (const { node, state } of shown) {
    if (state === 'running') continue;
    const known = rows.findLast((row) => row.node === node);
    if (known) known.state = state;
    else rows.push({ key: node, node, state, lease_ms: null, actors: 0, sockets: 0 });
  }
  return rows;
}
