//! The commands that Holdfast sends, each as it could look: what a user's permissions are held
//! against. docs/redis/users.acl gives just these.

/// For every store on Redis.
pub const ALWAYS: &[&[&str]] = &[
    &["XADD", KEY, "NOMKSTREAM", "1-1", "d", "x"],
    &["XRANGE", KEY, "-", "+"],
    &["XREVRANGE", KEY, "+", "-", "COUNT", "1"],
    &["XINFO", "STREAM", KEY],
    &["XTRIM", KEY, "MINID", "1-1"],
    &["XREAD", "BLOCK", "1", "STREAMS", KEY, "1-1"],
    &["XLEN", KEY],
    &["EVALSHA", "0000000000000000000000000000000000000000", "1", KEY],
    &["SCRIPT", "LOAD", "return 1"],
    &["GET", KEY],
    &["SET", KEY, "x"],
    &["GETRANGE", KEY, "0", "1"],
    &["DEL", KEY],
    &["UNLINK", KEY],
    &["EXISTS", KEY],
    &["RENAME", KEY, KEY],
    &["PEXPIRE", KEY, "1"],
    &["HSET", KEY, "f", "x"],
    &["HSETNX", KEY, "f", "x"],
    &["HGET", KEY, "f"],
    &["HMGET", KEY, "f"],
    &["HGETALL", KEY],
    &["HDEL", KEY, "f"],
    &["HINCRBY", KEY, "f", "1"],
    &["RPUSH", KEY, "x"],
    &["LPOP", KEY],
    &["LLEN", KEY],
    &["ZADD", KEY, "LT", "1", "m"],
    &["ZREM", KEY, "m"],
    &["ZREMRANGEBYSCORE", KEY, "0", "1"],
    &["ZRANGE", KEY, "0", "1"],
    &["ZRANGEBYSCORE", KEY, "0", "1"],
    &["ZRANGEBYLEX", KEY, "-", "+"],
    &["ZREVRANGE", KEY, "0", "1"],
    &["ZREVRANK", KEY, "m"],
    &["ZSCORE", KEY, "m"],
    &["ZCARD", KEY],
    &["ZCOUNT", KEY, "0", "1"],
    &["ZLEXCOUNT", KEY, "-", "+"],
    &["PUBLISH", KEY, "x"],
    &["SUBSCRIBE", KEY],
    &["UNSUBSCRIBE", KEY],
    &["SPUBLISH", KEY, "x"],
    &["SSUBSCRIBE", KEY],
    &["SUNSUBSCRIBE", KEY],
    &["PING"],
    &["TIME"],
    &["INFO"],
    &["ROLE"],
    &["HELLO", "3"],
    &["SELECT", "0"],
    &["WAIT", "1", "1"],
    &["CLIENT", "ID"],
    &["CLIENT", "SETNAME", "x"],
    &["CONFIG", "GET", "appendonly"],
    &["COMMAND", "INFO", "waitaof"],
];

/// For a Cluster as well.
pub const CLUSTER: &[&[&str]] = &[
    &["CLUSTER", "SHARDS"],
    &["CLUSTER", "SLOTS"],
    &["CLUSTER", "INFO"],
    &["CLUSTER", "MYID"],
    &["ASKING"],
];

/// For `fsynced` on a server that knows it.
pub const WAITAOF: &[&[&str]] = &[&["WAITAOF", "1", "0", "1"]];

/// What no gateway needs.
pub const NEVER: &[&str] = &["FLUSHALL"];

/// A key of ours, and a channel.
const KEY: &str = "hf:{p0000}:doctor";

/// The name that people know a command by.
#[must_use]
pub fn name(words: &[&str]) -> String {
    match words {
        [main @ ("XINFO" | "SCRIPT" | "CLIENT" | "CONFIG" | "CLUSTER" | "COMMAND"), sub, ..] => {
            format!("{main} {sub}")
        }
        [main, ..] => (*main).to_owned(),
        [] => String::new(),
    }
}
