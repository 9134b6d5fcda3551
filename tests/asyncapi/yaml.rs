//! JSON values as YAML, for people: blocks for maps and lists, JSON for what is within a line.

use serde_json::Value;

/// One document.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

/// True where the value stands on the line of its key.
fn is_short(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(|item| !item.is_array() && !item.is_object()),
        Value::Object(fields) => fields.is_empty() || value.to_string().len() <= 60,
        _ => true,
    }
}

fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                out.push_str(&format!("{pad}{}:", self::key(key)));
                rest(value, indent + 2, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&format!("{pad}-"));
                rest(item, indent + 2, out);
            }
        }
        other => out.push_str(&format!("{pad}{other}\n")),
    }
}

fn rest(value: &Value, indent: usize, out: &mut String) {
    if is_short(value) {
        out.push_str(&format!(" {}\n", inline(value)));
    } else {
        out.push('\n');
        block(value, indent, out);
    }
}

/// Flow style; JSON with spaces is YAML.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let field =
                |(key, value): (&String, &Value)| format!("{}: {}", self::key(key), inline(value));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Words that YAML does not take for something else stand bare.
fn key(key: &str) -> String {
    let bare = key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    let special = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&key);
    if bare && !special { key.to_owned() } else { Value::from(key).to_string() }
}

#[test]
fn maps_lists_and_words_read_as_yaml() {
    let value = serde_json::json!({
        "a": {"y": 1, "list": [1, "two"], "long": "x".repeat(60)},
        "rows": [{"k": []}],
    });
    let long = "x".repeat(60);
    let expected =
        format!("a:\n  list: [1, \"two\"]\n  long: \"{long}\"\n  \"y\": 1\nrows:\n  - {{k: []}}\n");
    assert_eq!(write(&value), expected);
}
