//! restJson1 as EKS speaks it: method and path name the operation; labels, query
//! and body members together are its parameters.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Method, path template, operation. Source: the URI builders of aws-sdk-eks 1.160.
const EKS: &[(&str, &str, &str)] = &[
    ("POST", "/clusters", "CreateCluster"),
    ("GET", "/clusters", "ListClusters"),
    ("GET", "/clusters/{name}", "DescribeCluster"),
    ("DELETE", "/clusters/{name}", "DeleteCluster"),
    (
        "POST",
        "/clusters/{name}/update-config",
        "UpdateClusterConfig",
    ),
    ("POST", "/clusters/{name}/updates", "UpdateClusterVersion"),
    ("GET", "/clusters/{name}/updates", "ListUpdates"),
    (
        "GET",
        "/clusters/{name}/updates/{updateId}",
        "DescribeUpdate",
    ),
    (
        "POST",
        "/clusters/{clusterName}/encryption-config/associate",
        "AssociateEncryptionConfig",
    ),
    (
        "POST",
        "/clusters/{clusterName}/node-groups",
        "CreateNodegroup",
    ),
    (
        "GET",
        "/clusters/{clusterName}/node-groups",
        "ListNodegroups",
    ),
    (
        "GET",
        "/clusters/{clusterName}/node-groups/{nodegroupName}",
        "DescribeNodegroup",
    ),
    (
        "DELETE",
        "/clusters/{clusterName}/node-groups/{nodegroupName}",
        "DeleteNodegroup",
    ),
    (
        "POST",
        "/clusters/{clusterName}/node-groups/{nodegroupName}/update-config",
        "UpdateNodegroupConfig",
    ),
    (
        "POST",
        "/clusters/{clusterName}/node-groups/{nodegroupName}/update-version",
        "UpdateNodegroupVersion",
    ),
    ("POST", "/clusters/{clusterName}/addons", "CreateAddon"),
    ("GET", "/clusters/{clusterName}/addons", "ListAddons"),
    (
        "GET",
        "/clusters/{clusterName}/addons/{addonName}",
        "DescribeAddon",
    ),
    (
        "DELETE",
        "/clusters/{clusterName}/addons/{addonName}",
        "DeleteAddon",
    ),
    (
        "POST",
        "/clusters/{clusterName}/addons/{addonName}/update",
        "UpdateAddon",
    ),
    ("GET", "/addons/supported-versions", "DescribeAddonVersions"),
    (
        "GET",
        "/addons/configuration-schemas",
        "DescribeAddonConfiguration",
    ),
    ("GET", "/cluster-versions", "DescribeClusterVersions"),
    (
        "POST",
        "/clusters/{clusterName}/access-entries",
        "CreateAccessEntry",
    ),
    (
        "GET",
        "/clusters/{clusterName}/access-entries",
        "ListAccessEntries",
    ),
    (
        "GET",
        "/clusters/{clusterName}/access-entries/{principalArn}",
        "DescribeAccessEntry",
    ),
    (
        "POST",
        "/clusters/{clusterName}/access-entries/{principalArn}",
        "UpdateAccessEntry",
    ),
    (
        "DELETE",
        "/clusters/{clusterName}/access-entries/{principalArn}",
        "DeleteAccessEntry",
    ),
    (
        "POST",
        "/clusters/{clusterName}/access-entries/{principalArn}/access-policies",
        "AssociateAccessPolicy",
    ),
    (
        "GET",
        "/clusters/{clusterName}/access-entries/{principalArn}/access-policies",
        "ListAssociatedAccessPolicies",
    ),
    (
        "DELETE",
        "/clusters/{clusterName}/access-entries/{principalArn}/access-policies/{policyArn}",
        "DisassociateAccessPolicy",
    ),
    (
        "POST",
        "/clusters/{clusterName}/pod-identity-associations",
        "CreatePodIdentityAssociation",
    ),
    (
        "GET",
        "/clusters/{clusterName}/pod-identity-associations",
        "ListPodIdentityAssociations",
    ),
    (
        "GET",
        "/clusters/{clusterName}/pod-identity-associations/{associationId}",
        "DescribePodIdentityAssociation",
    ),
    (
        "POST",
        "/clusters/{clusterName}/pod-identity-associations/{associationId}",
        "UpdatePodIdentityAssociation",
    ),
    (
        "DELETE",
        "/clusters/{clusterName}/pod-identity-associations/{associationId}",
        "DeletePodIdentityAssociation",
    ),
    ("POST", "/tags/{resourceArn}", "TagResource"),
    ("DELETE", "/tags/{resourceArn}", "UntagResource"),
    ("GET", "/tags/{resourceArn}", "ListTagsForResource"),
];

/// Query members that are lists, numbers or booleans; all others are strings.
const LISTS: &[&str] = &[
    "clusterVersions",
    "include",
    "owners",
    "publishers",
    "tagKeys",
    "types",
];
const NUMBERS: &[&str] = &["maxResults"];
const BOOLEANS: &[&str] = &["defaultOnly", "includeAll", "preserve"];

/// Finds the operation of a request and gathers labels and query members. `path`
/// and `query` are still percent-encoded. `None`: no such route.
pub fn route(method: &str, path: &str, query: &str) -> Option<(&'static str, Map<String, Value>)> {
    let (operation, mut params) = EKS
        .iter()
        .filter(|(known, ..)| *known == method)
        .find_map(|(_, template, operation)| Some((*operation, labels(template, path)?)))?;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        add_query_member(&mut params, &name, value);
    }
    Some((operation, params))
}

fn labels(template: &str, path: &str) -> Option<Map<String, Value>> {
    let mut found = Map::new();
    let mut wanted = template.split('/');
    let mut given = path.split('/');
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(found),
            (Some(wanted), Some(given)) => match wanted
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'))
            {
                Some(label) if !given.is_empty() => {
                    let value = percent_decode_str(given).decode_utf8().ok()?;
                    found.insert(label.to_owned(), Value::from(value.into_owned()));
                }
                Some(_) => return None,
                None if wanted == given => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

fn add_query_member(params: &mut Map<String, Value>, name: &str, value: Cow<'_, str>) {
    if LISTS.contains(&name) {
        let list = params
            .entry(name)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(items) = list {
            items.push(Value::from(value.into_owned()));
        }
        return;
    }
    let text = || Value::from(value.clone().into_owned());
    let typed = if NUMBERS.contains(&name) {
        value.parse::<i64>().map_or_else(|_| text(), Value::from)
    } else if BOOLEANS.contains(&name) {
        value.parse::<bool>().map_or_else(|_| text(), Value::from)
    } else {
        text()
    };
    params.insert(name.to_owned(), typed);
}
