//! One request, and what answers it.

use serde_json::{Value, json};

use super::{
    super::{Account, ApiError},
    delete, fields,
    kinds::Resource,
    patch, read, status, world,
    world::World,
    write,
};

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    params: &'a Value,
}

impl<'a> Request<'a> {
    pub fn new(params: &'a Value) -> Self {
        Self { params }
    }

    fn text(self, name: &str) -> &'a str {
        self.params[name].as_str().unwrap_or_default()
    }

    pub fn namespace(self) -> &'a str {
        self.text("namespace")
    }

    pub fn name(self) -> &'a str {
        self.text("name")
    }

    pub fn subresource(self) -> &'a str {
        self.text("subresource")
    }

    pub fn content_type(self) -> &'a str {
        self.text("contentType")
    }

    pub fn body(self) -> &'a Value {
        &self.params["body"]
    }

    /// An option of the query.
    pub fn option(self, name: &str) -> Option<&'a str> {
        self.params["query"][name].as_str()
    }

    pub fn flag(self, name: &str) -> bool {
        matches!(self.option(name), Some("true" | "1"))
    }

    /// Nothing is to be changed.
    pub fn dry_run(self) -> bool {
        let of_body = self.body()["dryRun"].as_array().is_some_and(|all| all.iter().any(|one| one == "All"));
        self.option("dryRun") == Some("All") || of_body
    }

    pub fn metadata_only(self) -> bool {
        self.params["metadataOnly"] == true
    }

    /// Who writes: as said, or the program that asks.
    pub fn manager(self) -> String {
        let agent = self.text("userAgent");
        self.option("fieldManager").unwrap_or_else(|| agent.split('/').next().unwrap_or(agent)).to_owned()
    }

    /// Who writes, and how.
    pub fn writer(self, resource: &Resource, operation: &'static str, time: String) -> fields::Writer {
        fields::Writer {
            name: self.manager(),
            operation,
            api_version: resource.api_version(),
            subresource: self.subresource().to_owned(),
            time,
        }
    }

    /// Where the object that the path names is kept.
    pub fn key(self, resource: &Resource) -> String {
        world::key(&resource.group, &resource.plural, self.namespace(), self.name())
    }

    /// Answers it.
    pub fn answer(self, account: &mut Account, world: &mut World, operation: &str) -> Result<Value, ApiError> {
        let found = Resource::find(world, self.text("group"), self.text("version"), self.text("plural"));
        let resource = found.ok_or_else(status::page_not_found)?;
        let in_namespace = !self.namespace().is_empty();
        if in_namespace != resource.namespaced && !(resource.namespaced && matches!(operation, "List" | "Watch")) {
            return Err(status::page_not_found());
        }
        self.check_subresource(&resource, operation)?;
        match operation {
            "Get" => read::get(world, &resource, self),
            "List" => read::list(world, &resource, self),
            "Watch" => Err(status::method_not_allowed("the rehearsal account's API does not watch: list instead")),
            "Create" => write::create(account, world, &resource, self),
            "Update" => write::update(account, world, &resource, self),
            "Apply" => write::apply(account, world, &resource, self),
            "Patch" => patch::patch(account, world, &resource, self),
            "Delete" => delete::delete(account, world, &resource, self),
            "DeleteCollection" => delete::collection(account, world, &resource, self),
            other => Err(status::method_not_allowed(&format!("the rehearsal account's API has no operation {other}"))),
        }
    }

    fn check_subresource(self, resource: &Resource, operation: &str) -> Result<(), ApiError> {
        let fits = match self.subresource() {
            "" => true,
            "status" => resource.status && operation != "Delete",
            "scale" => resource.scale && operation != "Delete",
            "eviction" => resource.kind == "Pod" && operation == "Create",
            "finalize" => resource.kind == "Namespace" && operation == "Update",
            _ => false,
        };
        if fits { Ok(()) } else { Err(status::page_not_found()) }
    }
}

/// An answer with its HTTP status.
pub(super) fn answered(code: u16, body: Value) -> Value {
    json!({"code": code, "body": body})
}
