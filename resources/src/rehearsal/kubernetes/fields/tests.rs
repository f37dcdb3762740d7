//! Cases of the documentation of server-side apply, and of structured-merge-diff's own tests.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

const DEPLOYMENT: Types<'static> = Types::BuiltIn { kind: "Deployment", parent: "", name: "Deployment" };
const CONFIG_MAP: Types<'static> = Types::BuiltIn { kind: "ConfigMap", parent: "", name: "ConfigMap" };

fn writer(name: &str, operation: &'static str) -> Writer {
    Writer {
        name: name.to_owned(),
        operation,
        api_version: "apps/v1".to_owned(),
        subresource: String::new(),
        time: "2026-11-24T00:00:00Z".to_owned(),
    }
}

/// An object and those who write to it.
struct Object {
    types: Types<'static>,
    live: Value,
    managers: Managers,
}

impl Object {
    fn new(types: Types<'static>) -> Self {
        Self { types, live: json!({}), managers: Managers::default() }
    }

    fn apply(&mut self, manager: &str, config: Value) -> Result<(), Vec<String>> {
        self.applied(manager, config, false)
    }

    fn applied(&mut self, manager: &str, config: Value, force: bool) -> Result<(), Vec<String>> {
        let writer = writer(manager, "Apply");
        match self.managers.apply(&self.live, &config, self.types, &writer, |_| {}, force) {
            Ok(new) => {
                self.live = new;
                Ok(())
            }
            Err(Refusal::Conflicts(conflicts)) => {
                Err(conflicts.into_iter().map(|conflict| format!("{}: {}", conflict.manager, conflict.field)).collect())
            }
            Err(Refusal::Untyped(why)) => Err(vec![why.0]),
        }
    }

    fn update(&mut self, manager: &str, new: Value) {
        self.managers.update(&self.live, &new, self.types, &writer(manager, "Update"), |_| {});
        self.live = new;
    }

    fn owned(&self, manager: &str) -> Value {
        let managers = self.managers.to_json();
        let mine = managers.as_array().unwrap().iter().find(|entry| entry["manager"] == manager);
        mine.map_or(Value::Null, |entry| entry["fieldsV1"].clone())
    }
}

fn replicas(replicas: i64) -> Value {
    json!({"spec": {"replicas": replicas}})
}

#[test]
fn another_managers_field_is_a_conflict_unless_forced() {
    let mut object = Object::new(DEPLOYMENT);
    object.apply("ci", replicas(3)).unwrap();
    object.update("kubectl-edit", replicas(5));
    assert_eq!(object.owned("ci"), Value::Null, "it has lost all it had");
    assert_eq!(object.apply("ci", replicas(3)).unwrap_err(), [r#""kubectl-edit" using apps/v1: .spec.replicas"#]);
    assert_eq!(object.live, replicas(5));
    assert_eq!(object.owned("kubectl-edit"), json!({"f:spec": {"f:replicas": {}}}), "a refusal changes nothing");
    object.applied("ci", replicas(3), true).unwrap();
    assert_eq!(object.live, replicas(3));
    assert_eq!(object.owned("kubectl-edit"), Value::Null);
}

#[test]
fn the_same_value_is_shared() {
    let mut object = Object::new(DEPLOYMENT);
    object.apply("one", replicas(3)).unwrap();
    object.apply("two", replicas(3)).unwrap();
    assert_eq!(object.owned("one"), object.owned("two"));
    // Who leaves it out gives up its share; the field stays for the other.
    object.apply("one", json!({"spec": {"paused": true}})).unwrap();
    assert_eq!(object.live, json!({"spec": {"replicas": 3, "paused": true}}));
    assert_eq!(object.apply("one", replicas(4)).unwrap_err(), [r#""two": .spec.replicas"#]);
    // The last one takes it along.
    object.apply("two", json!({"spec": {"minReadySeconds": 1}})).unwrap();
    assert_eq!(object.live, json!({"spec": {"paused": true, "minReadySeconds": 1}}));
}

#[test]
fn what_is_left_out_goes_if_nobody_else_owns_it() {
    let mut object = Object::new(CONFIG_MAP);
    object.apply("a", json!({"data": {"x": "1", "y": "1"}})).unwrap();
    object.update("defaults", json!({"data": {"x": "1", "y": "1", "z": "1"}}));
    object.apply("a", json!({"data": {"x": "1"}})).unwrap();
    assert_eq!(object.live, json!({"data": {"x": "1", "z": "1"}}));
    object.apply("a", json!({"metadata": {"labels": {"l": "1"}}})).unwrap();
    assert_eq!(object.live, json!({"data": {"z": "1"}, "metadata": {"labels": {"l": "1"}}}));
    object.apply("a", json!({})).unwrap();
    assert_eq!(object.live, json!({"data": {"z": "1"}}), "an empty map of labels goes too");
}

fn containers(containers: Value) -> Value {
    json!({"spec": {"template": {"spec": {"containers": containers}}}})
}

#[test]
fn lists_with_keys_are_merged_by_them() {
    let mut object = Object::new(DEPLOYMENT);
    let mine =
        json!([{"name": "app", "image": "a:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}]);
    object.apply("a", containers(mine)).unwrap();
    object.apply("mesh", containers(json!([{"name": "proxy", "image": "p"}]))).unwrap();
    let names = |object: &Object| -> Vec<String> {
        let found = object.live["spec"]["template"]["spec"]["containers"].as_array().unwrap().iter();
        found.map(|container| container["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&object), ["app", "proxy"]);
    assert_eq!(
        object.owned("mesh"),
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {
            "k:{\"name\":\"proxy\"}": {".": {}, "f:image": {}, "f:name": {}},
        }}}}})
    );
    let changed = json!([{"name": "app", "image": "a:2", "env": [{"name": "B", "value": "1"}]}]);
    object.apply("a", containers(changed)).unwrap();
    let app = &object.live["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(app, &json!({"name": "app", "image": "a:2", "env": [{"name": "B", "value": "1"}]}));
    object.apply("mesh", json!({})).unwrap();
    assert_eq!(names(&object), ["app"]);
    let refused = object.apply("a", containers(json!([{"name": "x"}, {"name": "x"}]))).unwrap_err();
    assert_eq!(refused, [".spec.template.spec.containers: duplicate entries for key [name=\"x\"]"]);
    let refused = object.apply("a", containers(json!([{"image": "x"}]))).unwrap_err();
    assert!(refused[0].contains("element 0: associative list with keys has an element that omits key field \"name\""));
}

#[test]
fn an_item_stays_while_another_owns_it() {
    let mut object = Object::new(DEPLOYMENT);
    object.apply("a", containers(json!([{"name": "app", "image": "a"}]))).unwrap();
    object.apply("b", containers(json!([{"name": "app", "tty": true}]))).unwrap();
    object.apply("a", json!({"spec": {"replicas": 1}})).unwrap();
    let left = &object.live["spec"]["template"]["spec"]["containers"];
    assert_eq!(left, &json!([{"name": "app", "tty": true}]));
}

#[test]
fn the_order_is_that_of_what_is_applied() {
    let mut object = Object::new(DEPLOYMENT);
    let named = |names: &[&str]| containers(names.iter().map(|name| json!({"name": name})).collect());
    object.apply("other", named(&["sidecar"])).unwrap();
    object.apply("a", named(&["x", "y"])).unwrap();
    object.apply("a", named(&["y", "z", "x"])).unwrap();
    let found = object.live["spec"]["template"]["spec"]["containers"].as_array().unwrap().iter();
    let order: Vec<&str> = found.map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(order, ["sidecar", "y", "z", "x"]);
}

#[test]
fn ports_have_a_protocol_by_default() {
    let mut object = Object::new(DEPLOYMENT);
    let port = |port: Value| containers(json!([{"name": "a", "ports": [port]}]));
    object.apply("a", port(json!({"containerPort": 80, "protocol": "TCP"}))).unwrap();
    object.apply("b", port(json!({"containerPort": 80, "name": "http"}))).unwrap();
    let ports = &object.live["spec"]["template"]["spec"]["containers"][0]["ports"];
    assert_eq!(ports, &json!([{"containerPort": 80, "protocol": "TCP", "name": "http"}]));
}

#[test]
fn sets_gain_and_lose_values() {
    let mut object = Object::new(CONFIG_MAP);
    let held = |names: &[&str]| json!({"metadata": {"finalizers": names}});
    object.apply("a", held(&["a/1", "a/2"])).unwrap();
    object.apply("b", held(&["b/1"])).unwrap();
    assert_eq!(object.live, held(&["a/1", "a/2", "b/1"]));
    object.apply("a", held(&["a/2"])).unwrap();
    assert_eq!(object.live, held(&["a/2", "b/1"]));
    assert_eq!(object.owned("b"), json!({"f:metadata": {"f:finalizers": {"v:\"b/1\"": {}}}}));
}

#[test]
fn atomic_values_have_one_owner() {
    let mut object = Object::new(DEPLOYMENT);
    let selector = |labels: Value| json!({"spec": {"selector": {"matchLabels": labels}}});
    object.apply("a", selector(json!({"x": "1"}))).unwrap();
    assert_eq!(object.owned("a"), json!({"f:spec": {"f:selector": {}}}));
    assert_eq!(object.apply("b", selector(json!({"y": "1"}))).unwrap_err(), [r#""a": .spec.selector"#]);
    let args = |args: &[&str]| containers(json!([{"name": "c", "args": args}]));
    let mut object = Object::new(DEPLOYMENT);
    object.apply("a", args(&["x", "y"])).unwrap();
    object.applied("b", args(&["z"]), true).unwrap();
    assert_eq!(object.live["spec"]["template"]["spec"]["containers"][0]["args"], json!(["z"]));
}

#[test]
fn an_update_owns_what_it_changes_and_new_parents_of_it() {
    let mut object = Object::new(CONFIG_MAP);
    object.update("kubectl-create", json!({"data": {"x": "1"}, "metadata": {"labels": {"l": "1"}}}));
    assert_eq!(
        object.owned("kubectl-create"),
        json!({"f:data": {".": {}, "f:x": {}}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}})
    );
    object.update("kubectl-edit", json!({"data": {"x": "2"}, "metadata": {"labels": {"l": "1"}}}));
    assert_eq!(object.owned("kubectl-edit"), json!({"f:data": {"f:x": {}}}));
    assert_eq!(object.owned("kubectl-create"), json!({"f:data": {}, "f:metadata": {"f:labels": {".": {}, "f:l": {}}}}),);
    object.update("kubectl-edit", json!({"metadata": {"labels": {"l": "1"}}}));
    assert_eq!(object.owned("kubectl-edit"), Value::Null, "what is removed is nobody's");
}

#[test]
fn applying_the_same_again_changes_nothing() {
    let mut object = Object::new(DEPLOYMENT);
    let mut config = containers(json!([{"name": "app", "image": "a"}]));
    config["metadata"] = json!({"labels": {"a": "1"}});
    object.apply("a", config.clone()).unwrap();
    let (live, managers) = (object.live.clone(), object.managers.to_json());
    object.apply("a", config).unwrap();
    assert_eq!((object.live, object.managers.to_json()), (live, managers));
}

#[test]
fn the_schema_of_a_custom_resource_says_which_lists_have_keys() {
    let schema: &'static Value = Box::leak(Box::new(
        json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "plain": {"type": "array", "items": {"type": "string"}},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "map": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"],
                "items": {"type": "object", "properties": {
                    "port": {"type": "integer"}, "protocol": {"type": "string", "default": "TCP"}, "v": {"type": "string"},
                }},
            },
            "one": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "params": {"type": "object", "additionalProperties": {"type": "string"}},
        }}}}),
    ));
    let mut object = Object::new(Types::Root(schema));
    let spec = |spec: Value| json!({"spec": spec});
    let mine = json!({
        "plain": ["a"], "set": ["a"], "map": [{"port": 1, "v": "a"}], "one": {"a": "1"},
        "free": {"x": {"y": 1}}, "params": {"k": "v"},
    });
    object.apply("a", spec(mine)).unwrap();
    assert_eq!(
        object.owned("a"),
        json!({"f:spec": {
            "f:free": {"f:x": {".": {}, "f:y": {}}},
            "f:map": {"k:{\"port\":1,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:v": {}}},
            "f:one": {},
            "f:params": {"f:k": {}},
            "f:plain": {},
            "f:set": {"v:\"a\"": {}},
        }})
    );
    object.apply("b", spec(json!({"set": ["b"], "map": [{"port": 1, "protocol": "UDP"}]}))).unwrap();
    assert_eq!(object.live["spec"]["set"], json!(["a", "b"]));
    assert_eq!(object.live["spec"]["map"].as_array().unwrap().len(), 2);
    let refused = object.apply("b", spec(json!({"plain": ["b"]}))).unwrap_err();
    assert_eq!(refused, [r#""a": .spec.plain"#]);
}

#[test]
fn strategic_patches_know_the_keys() {
    let live = containers(json!([{"name": "a", "image": "1", "args": ["x"]}, {"name": "b"}]));
    let patch = json!({
        "metadata": {"labels": {"l": "1"}},
        "spec": {"template": {"spec": {
            "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "image": "2", "args": ["y"]}, {"name": "b", "$patch": "delete"}, {"name": "c"}],
        }}},
    });
    let patched = strategic(&live, &patch, DEPLOYMENT);
    assert_eq!(patched["spec"], containers(json!([{"name": "a", "image": "2", "args": ["y"]}, {"name": "c"}]))["spec"]);
    assert_eq!(patched["metadata"], json!({"labels": {"l": "1"}}));
}

#[test]
fn sets_of_fields_are_written_as_fields_v1() {
    let written = json!({"f:a": {".": {}, "f:b": {}}, "f:c": {"k:{\"name\":\"x\"}": {"f:y": {}}}, "v:\"q\"": {}});
    let set = Set::from_json(&written);
    assert_eq!(set.to_json(), written);
    assert_eq!(set.paths(), [".a", ".a.b", ".c[name=\"x\"].y", "[=\"q\"]"]);
}
