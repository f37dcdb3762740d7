//! Entries of a kubeconfig, beside those of others.
//! Source: <https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/>

use serde_json::{Map, Value, json};

use super::ClusterAccess;

/// What kubectl runs for a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment beside the caller's.
    pub env: Vec<(String, String)>,
}

/// What became of the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// There was none of that name.
    Added,
    /// It is as before.
    Same,
    /// It led to the same cluster in another way.
    Updated,
    /// It led to a former cluster of that name, at this endpoint.
    Former(String),
}

/// Why a kubeconfig cannot be written.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KubeconfigError {
    /// It is no kubeconfig.
    #[error("it is no kubeconfig: {0}")]
    Unreadable(String),
    /// An entry of that name is somebody else's.
    #[error("it has an entry `{name}` that rayplat did not write, for {server}")]
    Foreign {
        /// The entry.
        name: String,
        /// Where it leads.
        server: String,
    },
}

/// A kubeconfig with an entry for a cluster, which becomes the current one. What others wrote
/// stays as it is. `replace` takes over an entry of the same name that is not ours.
///
/// # Errors
/// See [`KubeconfigError`].
pub fn with_entry(
    text: &str,
    name: &str,
    access: &ClusterAccess,
    command: &Command,
    replace: bool,
) -> Result<(String, Written), KubeconfigError> {
    let unreadable = |error: String| KubeconfigError::Unreadable(error);
    let mut config: Value = if text.trim().is_empty() {
        json!({"apiVersion": "v1", "kind": "Config"})
    } else {
        serde_saphyr::from_str(text).map_err(|error| unreadable(error.to_string()))?
    };
    let root = config.as_object_mut().ok_or_else(|| unreadable("it is no mapping".to_owned()))?;
    let before = root.get("clusters").and_then(|list| find(list, name)).map(|entry| entry["cluster"].clone());
    let user_before = root.get("users").and_then(|list| find(list, name)).map(|entry| entry["user"].clone());
    let cluster = json!({"server": access.endpoint, "certificate-authority-data": access.certificate_authority});
    let user = user(command);
    let ours = user_before.as_ref().is_none_or(is_ours);
    if let Some(before) = before.as_ref().filter(|_| !ours && !replace) {
        let server = before["server"].as_str().unwrap_or("an unknown place").to_owned();
        return Err(KubeconfigError::Foreign { name: name.to_owned(), server });
    }
    let written = match &before {
        None => Written::Added,
        Some(before) if before["server"] != cluster["server"] => {
            Written::Former(before["server"].as_str().unwrap_or("an unknown place").to_owned())
        }
        Some(before) if *before == cluster && user_before.as_ref() == Some(&user) => Written::Same,
        Some(_) => Written::Updated,
    };
    set(root, "clusters", name, "cluster", cluster).map_err(unreadable)?;
    set(root, "users", name, "user", user).map_err(unreadable)?;
    set(root, "contexts", name, "context", json!({"cluster": name, "user": name})).map_err(unreadable)?;
    root.insert("current-context".to_owned(), json!(name));
    let text = serde_saphyr::to_string(&config).map_err(|error| unreadable(error.to_string()))?;
    Ok((text, written))
}

fn user(command: &Command) -> Value {
    let env: Vec<Value> = command.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": command.program,
        "args": command.args,
        "env": if env.is_empty() { Value::Null } else { Value::Array(env) },
        "interactiveMode": "IfAvailable",
        "provideClusterInfo": false,
    }})
}

/// An entry that runs `rayplat token`.
fn is_ours(user: &Value) -> bool {
    user.pointer("/exec/args/0").and_then(Value::as_str) == Some("token")
        && user.pointer("/exec/command").and_then(Value::as_str).is_some_and(|command| command.contains("rayplat"))
}

fn find<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|entry| entry["name"] == name)
}

fn set(root: &mut Map<String, Value>, list: &str, name: &str, key: &str, value: Value) -> Result<(), String> {
    let slot = root.entry(list).or_insert_with(|| json!([]));
    if slot.is_null() {
        *slot = json!([]);
    }
    let entries = slot.as_array_mut().ok_or_else(|| format!("`{list}` is no list"))?;
    match entries.iter_mut().find(|entry| entry["name"] == name) {
        // A context's namespace, say, is its owner's.
        Some(entry) if key == "context" => {
            for (key, value) in value.as_object().into_iter().flatten() {
                entry["context"][key] = value.clone();
            }
        }
        Some(entry) => entry[key] = value,
        None => entries.push(json!({"name": name, key: value})),
    }
    Ok(())
}

/// What kubectl reads from a program that gives tokens. `expires` as RFC 3339.
/// Source: <https://kubernetes.io/docs/reference/config-api/client-authentication.v1/>
pub fn exec_credential(token: &str, expires: &str) -> Value {
    json!({
        "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
        "spec": {"interactive": false},
        "status": {"token": token, "expirationTimestamp": expires},
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn access(endpoint: &str) -> ClusterAccess {
        ClusterAccess { name: "ray".into(), endpoint: endpoint.into(), certificate_authority: "Y2E=".into() }
    }

    fn command() -> Command {
        let args = ["token", "--cluster", "ray", "--region", "us-east-1"].map(str::to_owned).to_vec();
        Command { program: "/usr/bin/rayplat".into(), args, env: vec![("AWS_PROFILE".into(), "dev".into())] }
    }

    const OTHERS: &str = "
apiVersion: v1
kind: Config
preferences: {colors: true}
current-context: home
clusters:
- name: home
  cluster: {server: https://home.example, certificate-authority-data: aG9tZQ==}
contexts:
- name: home
  context: {cluster: home, user: me, namespace: default}
users:
- name: me
  user: {token: secret}
";

    fn read(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn others_entries_stay_as_they_are() {
        let (text, written) = with_entry(OTHERS, "ray", &access("https://one"), &command(), false).unwrap();
        assert_eq!(written, Written::Added);
        let (before, after) = (read(OTHERS), read(&text));
        for list in ["clusters", "contexts", "users"] {
            assert_eq!(after[list][0], before[list][0]);
            assert_eq!(after[list].as_array().unwrap().len(), 2);
        }
        assert_eq!(after["preferences"], before["preferences"]);
        assert_eq!(after["current-context"], "ray");
        assert_eq!(after["clusters"][1]["cluster"]["server"], "https://one");
        assert_eq!(after["users"][1]["user"]["exec"]["args"][2], "ray");
        let (again, written) = with_entry(&text, "ray", &access("https://one"), &command(), false).unwrap();
        assert_eq!((again, written), (text, Written::Same));
    }

    #[test]
    fn an_entry_of_a_former_cluster_is_said() {
        let (text, _) = with_entry("", "ray", &access("https://one"), &command(), false).unwrap();
        let (text, written) = with_entry(&text, "ray", &access("https://two"), &command(), false).unwrap();
        assert_eq!(written, Written::Former("https://one".to_owned()));
        assert_eq!(read(&text)["clusters"].as_array().unwrap().len(), 1);
        assert_eq!(read(&text)["clusters"][0]["cluster"]["server"], "https://two");
    }

    #[test]
    fn somebody_elses_entry_is_not_taken_over_unasked() {
        let text = OTHERS.replace("name: me", "name: home").replace("user: me", "user: home");
        let refused = with_entry(&text, "home", &access("https://one"), &command(), false);
        let foreign = KubeconfigError::Foreign { name: "home".into(), server: "https://home.example".into() };
        assert_eq!(refused, Err(foreign));
        let (text, written) = with_entry(&text, "home", &access("https://one"), &command(), true).unwrap();
        assert_eq!(written, Written::Former("https://home.example".to_owned()));
        assert_eq!(read(&text)["contexts"][0]["context"]["namespace"], "default");
    }

    #[test]
    fn what_is_no_kubeconfig_is_refused() {
        for text in ["- a", "clusters: 1", "{", "a: b: c"] {
            let refused = with_entry(text, "ray", &access("https://one"), &command(), true);
            assert!(matches!(refused, Err(KubeconfigError::Unreadable(_))), "{text}: {refused:?}");
        }
    }
}
