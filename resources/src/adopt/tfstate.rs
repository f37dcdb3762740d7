//! Terraform's state, version 4: what stands in the account by its addresses.
//!
//! Source: hashicorp/terraform, `internal/states/statefile/version4.go`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::FileError;

/// One object of a managed resource.
#[derive(Debug, Clone, PartialEq)]
pub struct TfObject {
    /// E.g. `module.ray.aws_eks_node_group.gpu_workers[0]`.
    pub address: String,
    /// The module that it is in; empty for the root.
    pub module: String,
    /// E.g. `aws_eks_node_group`.
    pub kind: String,
    /// The resource's name within its module.
    pub name: String,
    /// The key of `for_each` or the number of `count`, as a text.
    pub index: Option<String>,
    /// Its attributes.
    pub attributes: Map<String, Value>,
    /// True for what an interrupted replacement left.
    pub deposed: bool,
}

/// A state.
#[derive(Debug, Clone, PartialEq)]
pub struct TfState {
    /// Its objects, in the file's order.
    pub objects: Vec<TfObject>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
    #[serde(default)]
    attributes: Option<Map<String, Value>>,
    #[serde(default)]
    deposed: Option<String>,
}

/// What `terraform state pull` gives is the whole state, wherever it is kept.
const PULL: &str = "`terraform state pull > terraform.tfstate` writes the state, wherever it is kept.";

impl TfState {
    /// Reads a state.
    ///
    /// # Errors
    /// It is none, is of another version, is encrypted, or has nothing in it.
    pub fn parse(bytes: &[u8]) -> Result<Self, FileError> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(FileError::new("the file is empty", PULL));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|error| FileError {
            at: Some((error.line(), error.column())),
            message: format!("it is not JSON, or was cut off: {error}"),
            cure: PULL.to_owned(),
        })?;
        // OpenTofu's encryption: https://opentofu.org/docs/language/state/encryption/
        if value.get("encrypted_data").is_some() {
            return Err(FileError::new(
                "the state is encrypted",
                "`tofu state pull > terraform.tfstate` writes it in plain text; delete that file afterwards.",
            ));
        }
        match value.get("version").and_then(Value::as_u64) {
            Some(4) => {}
            Some(version) if version < 4 => {
                return Err(FileError::new(
                    format!("it is a state of version {version}; this reads version 4 (Terraform 0.12 and newer)"),
                    "Run `terraform apply -refresh-only` with a newer Terraform: it writes version 4.",
                ));
            }
            Some(version) => {
                return Err(FileError::new(
                    format!("it is a state of version {version}; this reads version 4"),
                    "Use a newer rayplat, or import object by object: `rayplat import ADDRESS ID`.",
                ));
            }
            None => return Err(FileError::new("it is JSON, but no Terraform state: it has no `version`", PULL)),
        }
        let file: File = serde_json::from_value(value)
            .map_err(|error| FileError::new(format!("it does not have the shape of a state: {error}"), PULL))?;
        let objects: Vec<TfObject> =
            file.resources.into_iter().filter(|r| r.mode == "managed").flat_map(objects).collect();
        if objects.is_empty() {
            return Err(FileError::new("the state has no resources", PULL));
        }
        Ok(Self { objects })
    }

    /// The objects of a type and name, in whatever module.
    pub fn find<'a>(&'a self, kind: &'a str, name: &'a str) -> impl Iterator<Item = &'a TfObject> {
        self.objects.iter().filter(move |object| object.kind == kind && object.name == name && !object.deposed)
    }
}

fn objects(resource: Resource) -> impl Iterator<Item = TfObject> {
    let Resource { module, kind, name, instances, .. } = resource;
    let module = module.unwrap_or_default();
    let base = if module.is_empty() { String::new() } else { format!("{module}.") };
    instances.into_iter().map(move |instance| {
        let (index, suffix) = match instance.index_key {
            Some(Value::String(key)) => (Some(key.clone()), format!("[\"{key}\"]")),
            Some(key) if !key.is_null() => (Some(key.to_string()), format!("[{key}]")),
            _ => (None, String::new()),
        };
        TfObject {
            address: format!("{base}{kind}.{name}{suffix}"),
            module: module.clone(),
            kind: kind.clone(),
            name: name.clone(),
            index,
            attributes: instance.attributes.unwrap_or_default(),
            deposed: instance.deposed.is_some(),
        }
    })
}

impl TfObject {
    /// A text attribute; `None` if it is absent or empty. Dots and numbers go into blocks:
    /// `vpc_config.0.vpc_id`.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str().filter(|text| !text.is_empty())
    }

    /// Any attribute.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let mut parts = path.split('.');
        let first = self.attributes.get(parts.next()?)?;
        parts.try_fold(first, |value, part| match part.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(part),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn addresses_of_modules_counts_and_keys() {
        let state = TfState::parse(
            br#"{"version": 4, "resources": [
                {"mode": "data", "type": "aws_caller_identity", "name": "current", "instances": [{"attributes": {}}]},
                {"module": "module.ray[0]", "mode": "managed", "type": "aws_eks_addon", "name": "addons", "instances": [
                    {"index_key": "vpc-cni", "attributes": {"id": "c:vpc-cni"}},
                    {"index_key": "old", "attributes": {"id": "c:old"}, "deposed": "abcd1234"}]},
                {"mode": "managed", "type": "aws_kms_key", "name": "eks", "instances": [
                    {"index_key": 0, "attributes": {"key_id": "k", "list": [{"a": "b"}], "empty": ""}}]}]}"#,
        )
        .unwrap();
        let addresses: Vec<_> = state.objects.iter().map(|object| object.address.as_str()).collect();
        let expected = [
            "module.ray[0].aws_eks_addon.addons[\"vpc-cni\"]",
            "module.ray[0].aws_eks_addon.addons[\"old\"]",
            "aws_kms_key.eks[0]",
        ];
        assert_eq!(addresses, expected);
        assert_eq!(state.find("aws_eks_addon", "addons").count(), 1);
        let key = &state.objects[2];
        assert_eq!((key.text("list.0.a"), key.text("empty"), key.text("list.1.a")), (Some("b"), None, None));
    }

    #[test]
    fn other_files_are_told_apart() {
        let cases: [(&str, &str); 9] = [
            ("", "the file is empty"),
            (" \n", "the file is empty"),
            ("{\"version\": 4, \"resour", "it is not JSON, or was cut off"),
            ("[]", "no Terraform state"),
            ("{\"version\": 3, \"modules\": []}", "a state of version 3"),
            ("{\"version\": 5}", "a state of version 5"),
            ("{\"version\": 4, \"resources\": []}", "the state has no resources"),
            ("{\"version\": 4, \"resources\": [{\"mode\": 1}]}", "does not have the shape"),
            (
                "{\"serial\": 1, \"meta\": {}, \"encrypted_data\": \"x\", \"encryption_version\": \"v0\"}",
                "is encrypted",
            ),
        ];
        for (text, says) in cases {
            let error = TfState::parse(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(says) && !error.cure.is_empty(), "{text}: {error}");
        }
    }
}
