//! The namespace: made once by the first node that finds none, and known again by every other.
//!
//! Its incarnation is a random name that every partition carries. A partition without it, or with
//! another one, was emptied or belongs to another world: nothing is served from it and nothing
//! made anew. The namespace's own record is written last, so that a creation that was cut short
//! is gone on with.

use redis::Value;

use super::keys::{Keys, META, PARTITIONS, SHARED, tag};
use super::link::{Link, answer};
use super::reply;
use super::route::Router;
use crate::store::Error;

/// The version of the keys and of what they hold.
const FORMAT: &str = "1";

fn unusable(what: String) -> Error {
    Error::Open(what)
}

/// Sends commands to one primary, none of which may be refused.
async fn send(link: &Link, commands: redis::Pipeline) -> Result<Vec<Value>, Error> {
    let mut values = Vec::new();
    for value in link.bulk(commands).await? {
        match answer(value)? {
            Value::ServerError(error) => return Err(unusable(format!("Redis refused: {error}"))),
            value => values.push(value),
        }
    }
    Ok(values)
}

/// Reads the namespace's incarnation, and makes the namespace where there is none.
///
/// # Errors
/// [`Error::Open`] where what is there is another format, or left over from another world.
pub async fn open(router: &Router, keys: &Keys) -> Result<String, Error> {
    if let Some(incarnation) = known(router, keys).await? {
        return Ok(incarnation);
    }
    let incarnation = seed(router, keys).await?;
    let tags = (0..PARTITIONS).map(tag).chain(SHARED.map(str::to_owned));
    for (link, tags) in by_link(router, tags) {
        mark(keys, &link, &tags, &incarnation).await?;
    }
    let mut record = redis::pipe();
    record.cmd("HSET").arg(keys.of(META, "meta")).arg("format").arg(FORMAT);
    record.arg("partitions").arg(PARTITIONS).arg("incarnation").arg(&incarnation);
    send(&router.link(META), record).await?;
    tracing::info!(namespace = keys.namespace(), incarnation, "the namespace was made");
    Ok(incarnation)
}

async fn known(router: &Router, keys: &Keys) -> Result<Option<String>, Error> {
    let mut read = redis::pipe();
    read.cmd("HMGET").arg(keys.of(META, "meta")).arg(&["format", "partitions", "incarnation"]);
    let mut answers = send(&router.link(META), read).await?;
    let fields = answers.pop().and_then(reply::array).unwrap_or_default();
    let [Some(format), Some(partitions), Some(incarnation)] =
        [0, 1, 2].map(|nth| fields.get(nth).and_then(reply::text))
    else {
        return Ok(None);
    };
    if format != FORMAT || partitions != PARTITIONS.to_string() {
        return Err(unusable(format!(
            "the namespace {} has format {format} and {partitions} partitions; this version reads \
             format {FORMAT} with {PARTITIONS}",
            keys.namespace()
        )));
    }
    Ok(Some(incarnation.to_owned()))
}

/// Agrees with other first nodes on one incarnation.
async fn seed(router: &Router, keys: &Keys) -> Result<String, Error> {
    let mut agree = redis::pipe();
    let key = keys.of(META, "seed");
    let fresh = format!("{:032x}", rand::random::<u128>());
    agree.cmd("SET").arg(&key).arg(fresh).arg("NX").cmd("GET").arg(&key);
    let agreed = send(&router.link(META), agree).await?.pop();
    let agreed = agreed.as_ref().and_then(reply::text).map(str::to_owned);
    agreed.ok_or_else(|| unusable("Redis does not keep what is written to it".into()))
}

/// Divides tags by the link that serves them.
pub fn by_link(router: &Router, tags: impl Iterator<Item = String>) -> Vec<(Link, Vec<String>)> {
    let mut parts: Vec<(Link, Vec<String>)> = Vec::new();
    for tag in tags {
        let link = router.link(&tag);
        match parts.iter_mut().find(|(known, _)| *known == link) {
            Some((_, tags)) => tags.push(tag),
            None => parts.push((link, vec![tag])),
        }
    }
    parts
}

/// Writes the incarnation into those partitions of one primary that have none.
async fn mark(keys: &Keys, link: &Link, tags: &[String], incarnation: &str) -> Result<(), Error> {
    let mut write = redis::pipe();
    for tag in tags {
        write.cmd("HSETNX").arg(keys.facts(tag)).arg("incarnation").arg(incarnation);
        write.cmd("HGET").arg(keys.facts(tag)).arg("incarnation");
    }
    let answers = send(link, write).await?;
    let found = answers.chunks(2).map(|pair| pair.last().and_then(reply::text));
    for (tag, found) in tags.iter().zip(found) {
        if found != Some(incarnation) {
            return Err(unusable(format!(
                "{} of the namespace {} is left over from another world: restore its {META} tag, \
                 or choose another namespace",
                tag,
                keys.namespace()
            )));
        }
    }
    Ok(())
}
