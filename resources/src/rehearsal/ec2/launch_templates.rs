//! Launch templates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::params::{self, PageLimits, iso_time, refuse, required, text, texts};
use super::tags::{self, Tags, to_set};
use super::{forget_tokens, remember, replay, template_data};

/// A launch template with its versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// `lt-…`.
    pub id: String,
    /// Unique in the account and region.
    pub name: String,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// The version that `$Default` means.
    pub default_version: u64,
    /// The highest number given so far: numbers are never given twice.
    pub latest_version: u64,
    /// What stands, by number.
    pub versions: BTreeMap<u64, TemplateVersion>,
    /// Tags.
    pub tags: Tags,
}

/// One version of a launch template. It never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TemplateVersion {
    /// Free text.
    pub description: Option<String>,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// The request's `LaunchTemplateData`, with string leaves.
    pub data: Value,
}

impl LaunchTemplate {
    /// The number that `$Latest` means: the highest version that stands.
    pub fn latest(&self) -> u64 {
        self.versions.keys().next_back().copied().unwrap_or(self.latest_version)
    }

    /// The number that a version text (`3`, `$Latest`, `$Default`) means, if it stands.
    pub(super) fn number_of(&self, version: &str) -> Option<u64> {
        let number = match version {
            "$Latest" => self.latest(),
            "$Default" => self.default_version,
            other => other.parse().ok()?,
        };
        self.versions.contains_key(&number).then_some(number)
    }
}

/// Finds a template by id or name and resolves the version to its number, for
/// EKS. Without a version the default one is meant.
///
/// # Errors
/// EC2's refusal: no such template or version.
pub(crate) fn resolve_version<'a>(
    account: &'a Account,
    id: Option<&str>,
    name: Option<&str>,
    version: Option<&str>,
) -> Result<(&'a LaunchTemplate, u64), ApiError> {
    let template = find(account, id, name)?;
    let number = template
        .number_of(version.unwrap_or("$Default"))
        .ok_or_else(|| version_not_found(&template.id, version.unwrap_or("$Default")))?;
    Ok((template, number))
}

pub(super) fn version_not_found(id: &str, version: &str) -> ApiError {
    refuse(
        "InvalidLaunchTemplateId.VersionNotFound",
        format!("Could not find the specified version {version} for the launch template with ID {id}."),
    )
}

/// Finds the template that a request names by id or by name.
pub(super) fn find<'a>(
    account: &'a Account,
    id: Option<&str>,
    name: Option<&str>,
) -> Result<&'a LaunchTemplate, ApiError> {
    let templates = &account.ec2.launch_templates;
    match (id, name) {
        (Some(_), Some(_)) => Err(refuse(
            "InvalidParameterCombination",
            "You may specify either launch template ID or launch template name, but not both.",
        )),
        (None, None) => Err(params::missing("LaunchTemplateId")),
        (Some(id), None) => {
            check_id(id)?;
            templates.get(id).ok_or_else(|| id_not_found(id))
        }
        (None, Some(name)) => {
            templates.values().find(|template| template.name == name).ok_or_else(|| name_not_found(name))
        }
    }
}

fn check_id(id: &str) -> Result<(), ApiError> {
    if id.strip_prefix("lt-").is_some_and(|rest| rest.len() == 17 && rest.chars().all(|c| c.is_ascii_alphanumeric())) {
        Ok(())
    } else {
        Err(refuse(
            "InvalidLaunchTemplateId.Malformed",
            format!("Invalid launch template ID: '{id}' (expecting \"lt-...\")"),
        ))
    }
}

pub(super) fn id_not_found(id: &str) -> ApiError {
    refuse(
        "InvalidLaunchTemplateId.NotFound",
        format!("The specified launch template, with template ID {id}, does not exist."),
    )
}

pub(super) fn name_not_found(name: &str) -> ApiError {
    refuse(
        "InvalidLaunchTemplateName.NotFoundException",
        format!("The specified launch template, with template name {name}, does not exist."),
    )
}

/// `CreateLaunchTemplate`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if let Some(answer) = replay(account, "CreateLaunchTemplate", params)? {
        return Ok(answer);
    }
    let name = required(params, "LaunchTemplateName")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()./_-".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(allowed) {
        return Err(refuse(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _.",
        ));
    }
    let data = params.get("LaunchTemplateData").ok_or_else(|| params::missing("LaunchTemplateData"))?;
    template_data::check(data)?;
    let tags = tags::from_specifications(params, "launch-template")?;
    if account.ec2.launch_templates.values().any(|template| template.name == name) {
        return Err(refuse("InvalidLaunchTemplateName.AlreadyExistsException", "Launch template name already in use."));
    }
    let id = format!("lt-{}", account.draw_hex(17));
    let version = TemplateVersion {
        description: text(params, "VersionDescription").map(str::to_owned),
        created_ms: account.now_ms,
        data: data.clone(),
    };
    let template = LaunchTemplate {
        id: id.clone(),
        name: name.to_owned(),
        created_ms: account.now_ms,
        default_version: 1,
        latest_version: 1,
        versions: BTreeMap::from([(1, version)]),
        tags,
    };
    let answer = json!({"launchTemplate": template_answer(account, &template)});
    account.ec2.launch_templates.insert(id.clone(), template);
    remember(account, "CreateLaunchTemplate", params, &id, &answer);
    Ok(answer)
}

/// Who made it, as EC2 shows it.
pub(super) fn created_by(account: &Account) -> String {
    format!("arn:{}:iam::{}:root", super::network::partition(&account.region), account.account_id)
}

fn template_answer(account: &Account, template: &LaunchTemplate) -> Value {
    json!({
        "launchTemplateId": template.id,
        "launchTemplateName": template.name,
        "createTime": iso_time(template.created_ms),
        "createdBy": created_by(account),
        "defaultVersionNumber": template.default_version,
        "latestVersionNumber": template.latest(),
        "tagSet": to_set(&template.tags),
    })
}

/// `DescribeLaunchTemplates`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "LaunchTemplateId");
    let names = texts(params, "LaunchTemplateName");
    for id in &ids {
        find(account, Some(id), None)?;
    }
    for name in &names {
        find(account, None, Some(name))?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for template in account.ec2.launch_templates.values() {
        let named = ids.contains(&template.id) || names.contains(&template.name);
        if !(named || ids.is_empty() && names.is_empty()) {
            continue;
        }
        let keep = params::passes(&filters, &template.tags, |name| {
            Some(vec![match name {
                "launch-template-name" => template.name.clone(),
                "create-time" => iso_time(template.created_ms),
                _ => return None,
            }])
        })?;
        if keep {
            items.push((template.id.clone(), template_answer(account, template)));
        }
    }
    let limits = PageLimits { least: 1, most: 200 };
    Ok(params::paged_answer("launchTemplates", params::page(params, &limits, items)?))
}

/// `ModifyLaunchTemplate`: only the default version can be changed.
pub(super) fn modify(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if let Some(answer) = replay(account, "ModifyLaunchTemplate", params)? {
        return Ok(answer);
    }
    let template = find(account, text(params, "LaunchTemplateId"), text(params, "LaunchTemplateName"))?;
    let id = template.id.clone();
    let version = required(params, "SetDefaultVersion")?;
    let number = template.number_of(version).ok_or_else(|| version_not_found(&id, version))?;
    if let Some(template) = account.ec2.launch_templates.get_mut(&id) {
        template.default_version = number;
    }
    let answer = json!({"launchTemplate": template_answer(account, find(account, Some(&id), None)?)});
    remember(account, "ModifyLaunchTemplate", params, &id, &answer);
    Ok(answer)
}

/// `DeleteLaunchTemplate`, with all its versions.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let template = find(account, text(params, "LaunchTemplateId"), text(params, "LaunchTemplateName"))?;
    let id = template.id.clone();
    let answer = json!({"launchTemplate": template_answer(account, template)});
    account.ec2.launch_templates.shift_remove(&id);
    forget_tokens(account, &id);
    Ok(answer)
}
