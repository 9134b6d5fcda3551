// Shows the server's OpenAPI document: routes, parameters, answers, shapes. Everything comes from
// this server, and everything is put in as text.

/**
 * An element with text or children.
 * @param {string} name
 * @param {...(Node | string)} inside
 */
function make(name, ...inside) {
  const element = document.createElement(name);
  element.append(...inside);
  return element;
}

/**
 * The names of the shapes that a schema refers to, or its own text.
 * @param {any} schema
 * @returns {string}
 */
function shape(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const some = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (some) return some.map(shape).join(schema.allOf ? " and " : " or ");
  if (schema.enum) return schema.enum.map((/** @type {unknown} */ one) => JSON.stringify(one)).join(" or ");
  const type = [schema.type].flat().join(" or ");
  return schema.type === "array" ? `list of ${shape(schema.items) || "rows"}` : type;
}

/** @param {(Node | string)[][]} rows */
function table(rows) {
  return make("table", ...rows.map((row) => make("tr", ...row.map((cell) => make("td", cell)))));
}

/** @param {any} part */
function bodyOf(part) {
  return shape(part?.content?.["application/json"]?.schema);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {any} about
 */
function operation(method, path, about) {
  const details = make(
    "details",
    make("summary", make("b", method.toUpperCase()), ` ${path}  ${about.summary ?? ""}`),
  );
  if (about.description) details.append(make("p", about.description));
  const parameters = (about.parameters ?? []).map((/** @type {any} */ one) => [
    make("code", one.name), one.in, shape(one.schema), one.description ?? "",
  ]);
  if (about.requestBody) parameters.push(["body", "", bodyOf(about.requestBody), ""]);
  if (parameters.length > 0) details.append(make("h4", "Asks"), table(parameters));
  const answers = Object.entries(about.responses ?? {}).map(([status, one]) => [
    make("code", status), bodyOf(one), one.description ?? "",
  ]);
  details.append(make("h4", "Answers"), table(answers));
  return details;
}

/** @param {string} id */
function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

async function show() {
  const answer = await fetch("v1/openapi.json");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  const api = await answer.json();
  byId("about").textContent = `${api.info.description} Version ${api.info.version}.`;
  const operations = byId("operations");
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(item)) {
      if (about.responses) operations.append(operation(method, path, about));
    }
  }
  const shapes = byId("shapes");
  for (const [name, schema] of Object.entries(api.components?.schemas ?? {})) {
    const text = JSON.stringify(schema, null, 2);
    shapes.append(make("details", make("summary", name), make("pre", text)));
  }
}

show().catch((error) => {
  byId("about").textContent = `The document can't be shown: ${error.message}`;
});
