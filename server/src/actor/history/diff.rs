//! What differs between two JSON values, path by path. Pure.
//!
//! Paths are JSON pointers (RFC 6901): `/inventory/potion-001`, `~1` for a slash in a name. An
//! array that lost its first items and got others at the end, as queues do, is told so. The
//! changes of a difference, made one after the other, turn the first value into the second.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One place that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Where, as a JSON pointer.
    pub path: String,
    /// What was there; not there: nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub before: Option<Value>,
    /// What is there now; not there: nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub after: Option<Value>,
}

/// A field that is there, even if it is null.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// What turns `before` into `after`.
#[must_use]
pub fn diff(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare("", before, after, &mut changes);
    changes
}

fn below(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

fn compare(path: &str, before: &Value, after: &Value, out: &mut Vec<Change>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (name, value) in old {
                match new.get(name) {
                    Some(now) => compare(&below(path, name), value, now, out),
                    None => out.push(gone(below(path, name), value)),
                }
            }
            for (name, value) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
                out.push(come(below(path, name), value));
            }
        }
        (Value::Array(old), Value::Array(new)) => compare_items(path, old, new, out),
        _ if before == after => {}
        _ => out.push(Change {
            path: path.to_owned(),
            before: Some(before.clone()),
            after: Some(after.clone()),
        }),
    }
}

fn gone(path: String, value: &Value) -> Change {
    Change { path, before: Some(value.clone()), after: None }
}

fn come(path: String, value: &Value) -> Change {
    Change { path, before: None, after: Some(value.clone()) }
}

/// How many items `new` has lost at its head, if what is left of `old` opens it.
fn shift(old: &[Value], new: &[Value]) -> Option<usize> {
    let opens = |lost: &usize| old.get(*lost..).is_some_and(|left| new.starts_with(left));
    (0..old.len()).find(opens)
}

fn compare_items(path: &str, old: &[Value], new: &[Value], out: &mut Vec<Change>) {
    let at = |index: usize| format!("{path}/{index}");
    if let Some(lost) = shift(old, new) {
        let lost_ones = old.iter().enumerate().take(lost).rev();
        out.extend(lost_ones.map(|(index, value)| gone(at(index), value)));
        let more = new.iter().enumerate().skip(old.len() - lost);
        out.extend(more.map(|(index, value)| come(at(index), value)));
        return;
    }
    for (index, (one, two)) in old.iter().zip(new).enumerate() {
        compare(&at(index), one, two, out);
    }
    let rest = old.iter().enumerate().skip(new.len()).rev();
    out.extend(rest.map(|(index, value)| gone(at(index), value)));
    let more = new.iter().enumerate().skip(old.len());
    out.extend(more.map(|(index, value)| come(at(index), value)));
}

/// Makes changes in a value.
///
/// # Errors
/// The path of a change that does not fit.
pub fn apply(value: &mut Value, changes: &[Change]) -> Result<(), String> {
    for change in changes {
        let unfit = || format!("there is nothing to change at {:?}", change.path);
        let Change { path, before, after } = change;
        match (path.rsplit_once('/'), after) {
            (None, Some(after)) => *value = after.clone(),
            (Some((parent, name)), _) => {
                let parent = value.pointer_mut(parent).ok_or_else(unfit)?;
                let name = name.replace("~1", "/").replace("~0", "~");
                place(parent, &name, before.is_some(), after.clone()).ok_or_else(unfit)?;
            }
            (None, None) => return Err(unfit()),
        }
    }
    Ok(())
}

/// Sets, adds or takes away one member of a map or an array.
fn place(parent: &mut Value, name: &str, was: bool, after: Option<Value>) -> Option<()> {
    match parent {
        Value::Object(fields) => {
            if fields.contains_key(name) != was {
                return None;
            }
            match after {
                Some(after) => fields.insert(name.to_owned(), after),
                None => fields.remove(name),
            };
        }
        Value::Array(items) => {
            let index: usize = name.parse().ok()?;
            match (was, after) {
                (true, Some(after)) => *items.get_mut(index)? = after,
                (true, None) if index < items.len() => drop(items.remove(index)),
                (false, Some(after)) if index <= items.len() => items.insert(index, after),
                _ => return None,
            }
        }
        _ => return None,
    }
    Some(())
}

/// Takes the places away that these paths name, where there are such.
pub fn strip(value: &mut Value, paths: &[String]) {
    for path in paths {
        let Some((parent, name)) = path.rsplit_once('/') else { continue };
        let name = name.replace("~1", "/").replace("~0", "~");
        if let Some(Value::Object(fields)) = value.pointer_mut(parent) {
            fields.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn lines(before: Value, after: Value) -> Vec<String> {
        let text = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        let line = |c: Change| format!("{} {} {}", c.path, text(c.before), text(c.after));
        diff(&before, &after).into_iter().map(line).collect()
    }

    #[test]
    fn what_differs_is_named_by_path() {
        let before = json!({"health": 100, "room": null, "items": {"a/b": 1, "c": 2}, "same": [1]});
        let after = json!({"health": 75, "room": {"id": "den"}, "items": {"a/b": 2}, "same": [1],
            "new": null});
        let expected = [
            "/health 100 75",
            "/items/a~1b 1 2",
            "/items/c 2 -",
            "/room null {\"id\":\"den\"}",
            "/new - null",
        ];
        assert_eq!(lines(before, after), expected);
        assert_eq!(lines(json!(1), json!(1)), [""; 0]);
        assert_eq!(lines(json!(1), json!("1")), [" 1 \"1\""]);
    }

    #[test]
    fn queues_lose_at_the_head_and_grow_at_the_end() {
        assert_eq!(lines(json!([1, 2, 3]), json!([1, 2, 3, 4])), ["/3 - 4"]);
        assert_eq!(lines(json!([1, 2, 3]), json!([3, 4])), ["/1 2 -", "/0 1 -", "/1 - 4"]);
        assert_eq!(lines(json!([1, 2, 3]), json!([1, 9, 3])), ["/1 2 9"]);
        assert_eq!(lines(json!([1, 2, 3]), json!([9])), ["/0 1 9", "/2 3 -", "/1 2 -"]);
        assert_eq!(lines(json!([]), json!([1])), ["/0 - 1"]);
    }

    #[test]
    fn changes_that_do_not_fit_are_refused() {
        let change = |path: &str, before: Option<Value>, after: Option<Value>| Change {
            path: path.into(),
            before,
            after,
        };
        let one = Some(json!(1));
        for bad in [
            change("/b/c", None, one.clone()),
            change("/a", None, one.clone()),
            change("/b", one.clone(), None),
            change("/list/9", None, one.clone()),
            change("/list/x", one.clone(), one.clone()),
            change("", one, None),
        ] {
            let mut value = json!({"a": 1, "list": [1]});
            assert!(apply(&mut value, std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_null_is_something() {
        let change = Change { path: "/a".into(), before: Some(Value::Null), after: None };
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(text, r#"{"path":"/a","before":null}"#);
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
    }

    #[test]
    fn stripped_paths_are_gone() {
        let mut value = json!({"state": {"a~b": 1, "b": 2}});
        strip(&mut value, &["/state/a~0b".into(), "/state/none".into(), "/no/where".into()]);
        assert_eq!(value, json!({"state": {"b": 2}}));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), (0..3_i64).prop_map(Value::from)];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a~/]{1,2}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn changes_lead_from_one_value_to_the_other(before in any_json(), after in any_json()) {
            let changes = diff(&before, &after);
            let mut value = before.clone();
            apply(&mut value, &changes).unwrap();
            prop_assert_eq!(&value, &after);
            prop_assert_eq!(changes.is_empty(), before == after);
        }
    }
}
