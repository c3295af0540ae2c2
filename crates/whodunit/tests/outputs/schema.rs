//! The JSON Schema under `docs/`: made of the types, and what every output is held to.

use jsonschema::Validator;
use serde_json::Value;

use super::*;

/// An object of a schema takes no other keys: the published schema lets keys be added, the tests do not.
fn closed(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(closed);
            if object.contains_key("properties") {
                object.insert("additionalProperties".into(), false.into());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(closed),
        _ => {}
    }
}

fn validator(schema: &Value) -> Validator {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .unwrap()
}

fn document_validator() -> Validator {
    let mut schema = whodunit_view::json_schema();
    closed(&mut schema);
    validator(&schema)
}

fn incident_validator() -> Validator {
    let mut schema = whodunit_view::json_schema();
    closed(&mut schema);
    let mut incident = schema["$defs"]["Incident"].clone();
    incident["$defs"] = schema["$defs"].clone();
    validator(&incident)
}

fn check(validator: &Validator, value: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}:\n{}", errors.join("\n"));
}

#[test]
fn the_kept_schema_is_that_of_the_types() {
    let path = root().join("docs/schema/incident-v1.schema.json");
    let mut made = serde_json::to_string_pretty(&whodunit_view::json_schema()).unwrap();
    made.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/schema/incident-v1.schema.json is not what the types make; look at the difference, and if it keeps to the \
         contract: UPDATE_SCHEMA=1 cargo nextest run -p whodunit the_kept_schema"
    );
}

#[test]
fn the_schema_refuses_what_it_should() {
    let good: Value =
        serde_json::from_str(&explain(&["-o", "json", "first/container-limit.kmsg"])).unwrap();
    let validator = document_validator();
    check(&validator, &good, "unchanged");
    let wrong: &[(&str, Value)] = &[
        ("/schema", "1".into()),
        ("/incidents/0/verdict/killer", "kernel-memcg-house".into()),
        ("/incidents/0/verdict/confidence", "sure".into()),
        ("/incidents/0/victims/0/pid", "1".into()),
        ("/incidents/0/time", "yesterday".into()),
        ("/incidents/0/memcg/limit_kib", 1.5.into()),
        ("/incidents/0/memcg/limit_kib", (-1).into()),
        ("/incidents/0/findings/0/severity", "dire".into()),
        ("/incidents/0/verdict/evidence/0/line", Value::Null),
        ("/incidents/0/pod/qos_class", "Gold".into()),
    ];
    for (pointer, value) in wrong {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!validator.is_valid(&bad), "{pointer} = {value} passes");
    }
    let mut bad = good;
    bad["incidents"][0].as_object_mut().unwrap().remove("time");
    assert!(!validator.is_valid(&bad), "a missing key passes");
}

#[test]
fn every_output_of_every_fixture_keeps_to_the_schema() {
    let (document, incident) = (document_validator(), incident_validator());
    let mut incidents = 0;
    for name in fixtures() {
        let json: Value = serde_json::from_str(&explain(&["-o", "json", &name])).unwrap();
        check(&document, &json, &name);
        let lines = explain(&["-o", "ndjson", &name]);
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for line in &lines {
            check(&incident, line, &name);
        }
        assert_eq!(
            json["incidents"].as_array().unwrap(),
            &lines,
            "{name}: ndjson says something else than json"
        );
        let yaml: Value = serde_saphyr::from_str(&explain(&["-o", "yaml", &name])).unwrap();
        check(&document, &yaml, &name);
        assert_eq!(json, yaml, "{name}: YAML says something else than JSON");
        incidents += lines.len();
    }
    assert!(incidents > 90, "{incidents}");
}

#[test]
fn a_document_of_many_sources_keeps_to_the_schema() {
    let json: Value = serde_json::from_str(&explain(&["-o", "json", "."])).unwrap();
    check(&document_validator(), &json, "all fixtures");
    let sources = json["sources"].as_array().unwrap();
    for incident in json["incidents"].as_array().unwrap() {
        let cites = incident["verdict"]["evidence"].as_array().unwrap();
        assert!(!cites.is_empty());
        for cite in cites {
            let source = cite["source"].as_u64().unwrap();
            assert_eq!(
                sources[usize::try_from(source).unwrap()]["path"],
                incident["source"]["path"]
            );
        }
    }
}
