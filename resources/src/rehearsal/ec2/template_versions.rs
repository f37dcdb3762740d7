//! Versions of launch templates.

use serde_json::{Map, Value, json};

use super::super::{Account, ApiError};
use super::launch_templates::{self, LaunchTemplate, TemplateVersion, created_by, find, version_not_found};
use super::params::{self, PageLimits, iso_time, refuse, text, texts};
use super::{remember, replay, template_data};

/// `CreateLaunchTemplateVersion`: the given data over that of `SourceVersion`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if let Some(answer) = replay(account, "CreateLaunchTemplateVersion", params)? {
        return Ok(answer);
    }
    let template = named(account, params)?;
    let id = template.id.clone();
    let given = params.get("LaunchTemplateData").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let data = match text(params, "SourceVersion") {
        None => given,
        Some(source) => {
            let number = template.number_of(source).ok_or_else(|| version_not_found(&id, source))?;
            let mut data = template.versions[&number].data.clone();
            if let (Some(data), Some(given)) = (data.as_object_mut(), given.as_object()) {
                data.extend(given.clone());
            }
            data
        }
    };
    template_data::check(&data)?;
    let version = TemplateVersion {
        description: text(params, "VersionDescription").map(str::to_owned),
        created_ms: account.now_ms,
        data,
    };
    let number = template.latest_version + 1;
    if let Some(template) = account.ec2.launch_templates.get_mut(&id) {
        template.latest_version = number;
        template.versions.insert(number, version);
    }
    let template = find(account, Some(&id), None)?;
    let answer = json!({"launchTemplateVersion": version_answer(account, template, number)});
    remember(account, "CreateLaunchTemplateVersion", params, &id, &answer);
    Ok(answer)
}

fn named<'a>(account: &'a Account, params: &Value) -> Result<&'a LaunchTemplate, ApiError> {
    find(account, text(params, "LaunchTemplateId"), text(params, "LaunchTemplateName"))
}

fn version_answer(account: &Account, template: &LaunchTemplate, number: u64) -> Value {
    let version = &template.versions[&number];
    let mut answer = json!({
        "launchTemplateId": template.id,
        "launchTemplateName": template.name,
        "versionNumber": number,
        "createTime": iso_time(version.created_ms),
        "createdBy": created_by(account),
        "defaultVersion": number == template.default_version,
        "launchTemplateData": template_data::answer(&version.data),
    });
    if let Some(description) = &version.description {
        answer["versionDescription"] = json!(description);
    }
    answer
}

/// `DescribeLaunchTemplateVersions`: of one template, or `$Latest` and `$Default`
/// of all.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let one = text(params, "LaunchTemplateId").is_some() || text(params, "LaunchTemplateName").is_some();
    let found = if one {
        let template = named(account, params)?;
        let numbers = of_one(template, params)?;
        numbers.into_iter().map(|number| (template, number)).collect()
    } else {
        of_all(account, params)?
    };
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for (template, number) in found {
        if params::passes(&filters, &template.tags, |name| attribute(template, number, name))? {
            // EC2 gives the newest version first.
            let order = format!("{}/{:020}", template.id, u64::MAX - number);
            items.push((order, version_answer(account, template, number)));
        }
    }
    let limits = PageLimits { least: 1, most: 200 };
    Ok(params::paged_answer("launchTemplateVersionSet", params::page(params, &limits, items)?))
}

/// The versions that a request wants of one template: those named, or a range.
fn of_one(template: &LaunchTemplate, params: &Value) -> Result<Vec<u64>, ApiError> {
    let wanted = texts(params, "LaunchTemplateVersion");
    if wanted.is_empty() {
        return range(template, params);
    }
    let mut numbers = Vec::new();
    for version in &wanted {
        let number = template.number_of(version).ok_or_else(|| version_not_found(&template.id, version))?;
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

fn of_all<'a>(account: &'a Account, params: &Value) -> Result<Vec<(&'a LaunchTemplate, u64)>, ApiError> {
    let wanted = texts(params, "LaunchTemplateVersion");
    if wanted.is_empty() || wanted.iter().any(|it| it != "$Latest" && it != "$Default") {
        return Err(refuse(
            "MissingParameter",
            "The request must contain the parameter LaunchTemplateId or LaunchTemplateName, or only the versions $Latest and $Default",
        ));
    }
    let mut found: Vec<(&LaunchTemplate, u64)> = Vec::new();
    for template in account.ec2.launch_templates.values() {
        for number in wanted.iter().filter_map(|version| template.number_of(version)) {
            if !found.iter().any(|(known, it)| known.id == template.id && *it == number) {
                found.push((template, number));
            }
        }
    }
    Ok(found)
}

fn attribute(template: &LaunchTemplate, number: u64, name: &str) -> Option<Vec<String>> {
    let version = &template.versions[&number];
    let member = |name: &str| text(&version.data, name).map(str::to_owned).into_iter().collect();
    Some(match name {
        "is-default-version" => vec![(number == template.default_version).to_string()],
        "image-id" => member("ImageId"),
        "instance-type" => member("InstanceType"),
        "create-time" => vec![iso_time(version.created_ms)],
        _ => return None,
    })
}

fn range(template: &LaunchTemplate, params: &Value) -> Result<Vec<u64>, ApiError> {
    let bound = |name: &str, otherwise: u64| -> Result<u64, ApiError> {
        let number = params::number(params, name)?;
        Ok(number.map_or(otherwise, |number| u64::try_from(number).unwrap_or(0)))
    };
    let (least, most) = (bound("MinVersion", 0)?, bound("MaxVersion", u64::MAX)?);
    Ok(template.versions.keys().copied().filter(|number| (least..=most).contains(number)).collect())
}

/// `DeleteLaunchTemplateVersions`: the default version stays.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let template = named(account, params)?;
    let (id, name) = (template.id.clone(), template.name.clone());
    let versions = texts(params, "LaunchTemplateVersion");
    if versions.is_empty() {
        return Err(params::missing("LaunchTemplateVersion"));
    }
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for version in versions {
        let number = version.parse::<u64>().ok();
        let problem = match number {
            None => Some(("unexpectedError", format!("'{version}' is not a version number."))),
            Some(number) if !template.versions.contains_key(&number) => {
                Some(("launchTemplateVersionDoesNotExist", launch_templates::version_not_found(&id, &version).message))
            }
            Some(number) if number == template.default_version => Some((
                "unexpectedError",
                "The default version of a launch template cannot be deleted. Set another default version first."
                    .to_owned(),
            )),
            Some(_) => None,
        };
        let mut item = json!({
            "launchTemplateId": id,
            "launchTemplateName": name,
            "versionNumber": number.unwrap_or_default(),
        });
        match problem {
            None => gone.push((number.unwrap_or_default(), item)),
            Some((code, message)) => {
                item["responseError"] = json!({"code": code, "message": message});
                kept.push(item);
            }
        }
    }
    if let Some(template) = account.ec2.launch_templates.get_mut(&id) {
        for (number, _) in &gone {
            template.versions.remove(number);
        }
    }
    Ok(json!({
        "successfullyDeletedLaunchTemplateVersionSet":
            gone.into_iter().map(|(_, item)| item).collect::<Vec<_>>(),
        "unsuccessfullyDeletedLaunchTemplateVersionSet": kept,
    }))
}
