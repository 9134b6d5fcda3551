//! JSON Schema, as far as the OpenAPI document uses it: whether a value fits, strictly (a field
//! that is not documented does not), and values that fit.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

type Fields = (Map<String, Value>, Vec<String>);

/// The document, in which references are looked up.
pub struct Document(pub Value);

impl Document {
    /// The schema itself, behind references.
    fn resolve(&self, schema: &Value) -> Value {
        let Some(to) = schema["$ref"].as_str() else { return schema.clone() };
        let found = self.0.pointer(to.trim_start_matches('#'));
        self.resolve(found.unwrap_or_else(|| panic!("{to} is not in the document")))
    }

    /// Every property of an object schema, and those that are required.
    fn fields(&self, schema: &Value) -> Fields {
        let schema = self.resolve(schema);
        let mut all = schema["properties"].as_object().cloned().unwrap_or_default();
        let texts = schema["required"].as_array().into_iter().flatten();
        let mut required: Vec<String> =
            texts.filter_map(|name| name.as_str().map(str::to_owned)).collect();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let (more, needed) = self.fields(part);
            all.extend(more);
            required.extend(needed);
        }
        (all, required)
    }

    /// The schemas of which a value fits one: alternatives are opened, within `allOf` too.
    pub fn choices(&self, schema: &Value) -> Vec<Value> {
        let schema = self.resolve(schema);
        if let Some(some) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            return some.iter().flat_map(|one| self.choices(one)).collect();
        }
        let Some(parts) = schema["allOf"].as_array() else { return vec![schema] };
        let mut wholes = vec![json!({"type": "object", "allOf": []})];
        for part in parts {
            let choices = self.choices(part);
            let with = |whole: &Value, choice: &Value| {
                let mut whole = whole.clone();
                whole["allOf"].as_array_mut().unwrap().push(choice.clone());
                whole
            };
            wholes = wholes.iter().flat_map(|w| choices.iter().map(move |c| with(w, c))).collect();
        }
        wholes
    }

    /// Says why a value does not fit; `None`: it does.
    pub fn misfit(&self, schema: &Value, value: &Value) -> Option<String> {
        let misfits: Vec<_> =
            self.choices(schema).iter().map(|one| self.misfit_of(one, value)).collect();
        let fits = misfits.iter().any(Option::is_none);
        if fits { None } else { misfits.into_iter().flatten().last() }
    }

    fn misfit_of(&self, schema: &Value, value: &Value) -> Option<String> {
        let wrong = |why: &str| Some(format!("{value} {why} of {schema}"));
        if schema["enum"].as_array().is_some_and(|allowed| !allowed.contains(value)) {
            return wrong("is not in the list");
        }
        let types: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        if !types.contains(&kind(value)) {
            return wrong("is not of the type");
        }
        let least = schema["minimum"].as_f64();
        if value.as_f64().zip(least).is_some_and(|(value, least)| value < least) {
            return wrong("is below the minimum");
        }
        match value {
            Value::Object(object) => self.misfit_object(schema, object),
            Value::Array(items) => {
                let of = |at| schema["prefixItems"].get(at).unwrap_or(&schema["items"]).clone();
                items.iter().enumerate().find_map(|(at, item)| match of(at) {
                    Value::Bool(false) => wrong("has an item too many"),
                    one => self.misfit(&one, item),
                })
            }
            _ => None,
        }
    }

    fn misfit_object(&self, schema: &Value, object: &Map<String, Value>) -> Option<String> {
        let (fields, required) = self.fields(schema);
        let others = self.resolve(schema)["additionalProperties"].clone();
        if let Some(missing) = required.iter().find(|name| !object.contains_key(*name)) {
            return Some(format!("{missing} is missing in {object:?}"));
        }
        object.iter().find_map(|(name, value)| match fields.get(name) {
            Some(schema) => self.misfit(schema, value).map(|why| format!("{name}: {why}")),
            None if others.is_object() => self.misfit(&others, value),
            None => Some(format!("{name} is not documented")),
        })
    }

    /// Values that fit.
    pub fn valid(&self, schema: &Value) -> BoxedStrategy<Value> {
        let choices = self.choices(schema);
        proptest::strategy::Union::new(choices.iter().map(|one| self.valid_of(one))).boxed()
    }

    fn valid_of(&self, schema: &Value) -> BoxedStrategy<Value> {
        if let Some(allowed) = schema["enum"].as_array() {
            return select(allowed.clone()).boxed();
        }
        let types = match &schema["type"] {
            Value::Array(some) => some.clone(),
            one => vec![one.clone()],
        };
        let one = |of: &Value| match of.as_str() {
            Some("null") => Just(Value::Null).boxed(),
            Some("boolean") => any::<bool>().prop_map(Value::from).boxed(),
            Some("integer") => {
                let least = schema["minimum"].as_i64().unwrap_or(-9);
                let most = schema["maximum"].as_i64().unwrap_or(1 << 20);
                (least..=most).prop_map(Value::from).boxed()
            }
            Some("string") => text(schema),
            Some("array") => proptest::collection::vec(self.valid(&schema["items"]), 0..4)
                .prop_map(Value::from)
                .boxed(),
            Some("object") => self.valid_object(schema),
            _ => junk(),
        };
        proptest::strategy::Union::new(types.iter().map(one)).boxed()
    }

    fn valid_object(&self, schema: &Value) -> BoxedStrategy<Value> {
        let (fields, required) = self.fields(schema);
        let mut whole = Just(Map::new()).boxed();
        for (name, schema) in fields {
            let valid = self.valid(&schema);
            let value = if required.contains(&name) {
                valid.prop_map(Some).boxed()
            } else {
                proptest::option::of(valid).boxed()
            };
            whole = (whole, value)
                .prop_map(move |(mut whole, value)| {
                    whole.extend(value.map(|value| (name.clone(), value)));
                    whole
                })
                .boxed();
        }
        whole.prop_map(Value::from).boxed()
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Names that exist and some that don't; texts of every allowed length.
fn text(schema: &Value) -> BoxedStrategy<Value> {
    if schema["pattern"].is_string() {
        let some = vec!["alice", "bob", "ghost", "a", "den", "_-9", "zed"];
        return select(some).prop_map(Value::from).boxed();
    }
    let most = schema["maxLength"].as_u64().unwrap_or(20) as usize;
    let letter = select(vec!['a', 'Z', '7', ' ', 'é', '漢', '"', '\\']);
    let made = proptest::collection::vec(letter, 1..=most);
    let item = select(&["potion-001", "sword-001"][..]).prop_map(str::to_owned);
    prop_oneof![made.prop_map(String::from_iter), item].prop_map(Value::from).boxed()
}

/// Any JSON.
pub fn junk() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::collection::vec(any::<char>(), 0..40)
            .prop_map(|some| Value::from(String::from_iter(some))),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let name = select(&["do", "args", "wait", "player", "name", "text", "x"][..]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..6).prop_map(|some| Value::Object(
                some.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
    .boxed()
}

/// A value with one part of it spoiled.
pub fn spoiled(valid: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    (valid, junk(), any::<proptest::sample::Index>(), any::<bool>())
        .prop_map(|(mut value, junk, at, gone)| {
            let inner = value.get("args").is_some_and(|args| args.is_object()) && gone;
            let part = if inner { &mut value["args"] } else { &mut value };
            let names: Vec<String> =
                part.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect();
            let Some(object) = part.as_object_mut().filter(|_| !names.is_empty()) else {
                return junk;
            };
            object.insert(at.get(&names).clone(), junk);
            value
        })
        .boxed()
}

#[test]
fn what_does_not_fit_is_found() {
    let room = json!({"type": "object", "required": ["id"], "properties": {
        "id": {"type": "string"}, "of": {"type": ["integer", "null"], "minimum": 0}}});
    let either = json!({"oneOf": [{"$ref": "#/room"}, {"type": "array", "items": false,
        "prefixItems": [{"type": "string"}, {"type": "integer"}]}]});
    let document = Document(json!({ "room": room }));
    let fits = |value: Value| document.misfit(&either, &value).is_none();
    assert!(fits(json!({"id": "a"})) && fits(json!({"id": "a", "of": null})));
    assert!(fits(json!(["a", 7])));
    let bad = [
        json!({}),
        json!({"id": 7}),
        json!({"id": "a", "of": -1}),
        json!({"id": "a", "more": 1}),
        json!(["a", "b"]),
        json!(["a", 7, 8]),
        json!(7),
    ];
    assert!(bad.into_iter().all(|value| !fits(value)));
}
