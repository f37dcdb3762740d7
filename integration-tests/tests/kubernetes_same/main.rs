//! The emulated API answers as a real API server does: the same requests to both.

#![allow(clippy::unwrap_used)]

mod asked;

use std::{fs, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request, header};
use kube::Client;
use rayplat_integration_tests::{
    QUICKSTART, World,
    kubernetes::{ControlPlane, find},
};
use rayplat_resources::kubernetes::ClusterAccess;
use serde_json::{Value, json};

use asked::{
    Asked, CRD, JSON, WIDGET, apply, ask, custom_resources, definition, others, ray, ray_clusters, rich_objects,
    small_objects, workloads,
};

/// The answer to a request: status and body.
async fn send(client: &Client, asked: &Asked) -> (u16, Value) {
    let bytes = match &asked.body {
        Value::Null => Vec::new(),
        // YAML, as it is.
        Value::String(text) => text.clone().into_bytes(),
        body => body.to_string().into_bytes(),
    };
    let request = Request::builder().method(asked.method).uri(&asked.path).header("content-type", asked.content);
    let request = request.header("user-agent", "tester/1").body(bytes.into()).unwrap();
    let answer = client.send(request).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect_bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))))
}

/// What may differ: identities, times, addresses, and what controllers have done meanwhile.
fn comparable(mut value: Value) -> Value {
    drop_fields(&mut value);
    if !value.is_object() {
        return value;
    }
    // What is said of a whole template shows the server's own structures.
    for place in ["/message", "/details/causes/0/message"] {
        if let Some(Value::String(text)) = value.pointer_mut(place)
            && let (true, Some(begin), Some(end)) =
                (text.to_lowercase().contains("terminationmessagepath"), text.find('{'), text.rfind("}: "))
        {
            text.replace_range(begin..end, "");
        }
    }
    // In no order, as Go's maps have none.
    if let Some(causes) = value["details"]["causes"].as_array_mut() {
        causes.sort_by_key(Value::to_string);
    }
    if value["kind"] == "Scale" {
        value["status"].as_object_mut().map(|status| status.remove("replicas"));
    } else if value["kind"] != "Status" {
        value.as_object_mut().map(|fields| fields.remove("status"));
    }
    if let Some(entries) = value["metadata"]["managedFields"].as_array_mut() {
        let controllers = ["controller-manager", "kube-controller-manager", "kube-apiserver"];
        entries.retain(|entry| !controllers.iter().any(|one| entry["manager"] == *one));
        // The order is that of whole seconds.
        entries.sort_by_key(|entry| (entry["operation"].to_string(), entry["manager"].to_string()));
        // Definitions are owned as a whole there.
        if value["kind"] == "CustomResourceDefinition" {
            value["metadata"].as_object_mut().map(|metadata| metadata.remove("managedFields"));
        }
    }
    value
}

fn drop_fields(value: &mut Value) {
    const ANY: &[&str] = &[
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "time",
        "clusterIP",
        "clusterIPs",
        "batch.kubernetes.io/controller-uid",
        "controller-uid",
        "deployment.kubernetes.io/revision",
        "selfLink",
    ];
    match value {
        Value::Object(fields) => {
            fields.retain(|name, value| !ANY.contains(&name.as_str()) && !value.is_null());
            fields.values_mut().for_each(drop_fields);
            fields.retain(|name, value| name != "annotations" || value.as_object().is_none_or(|map| !map.is_empty()));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_fields),
        _ => {}
    }
}

async fn all_answers(client: &Client, ray_definition: &str) -> Vec<(String, u16, Value)> {
    let mut answers = Vec::new();
    let define = apply("the definition", CRD, "rayplat", definition());
    for asked in small_objects()
        .into_iter()
        .chain(workloads())
        .chain(others())
        .chain(rich_objects())
        .chain(ray(ray_definition))
        .chain([define])
    {
        let (status, body) = send(client, &asked).await;
        answers.push((format!("{} ({})", asked.name, asked.path), status, comparable(body)));
    }
    let look = ask("", "GET", WIDGET, JSON, Value::Null);
    for _ in 0..100 {
        // Until the kind is served, there is no Status.
        if send(client, &look).await.1["kind"] == "Status" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for asked in custom_resources().into_iter().chain(ray_clusters()) {
        let (status, body) = send(client, &asked).await;
        answers.push((format!("{} ({})", asked.name, asked.path), status, comparable(body)));
    }
    answers
}

fn real(plane: &ControlPlane, ray_definition: &str) -> Vec<(String, u16, Value)> {
    let mut config = kube::Config::new(plane.url.parse().unwrap());
    let pem: String = plane.ca_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    config.root_cert = Some(vec![STANDARD.decode(pem).unwrap()]);
    let bearer = HeaderValue::from_str(&format!("Bearer {}", plane.token)).unwrap();
    config.headers.push((header::AUTHORIZATION, bearer));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { all_answers(&Client::try_from(config).unwrap(), ray_definition).await })
}

fn emulated(ray_definition: &str) -> Vec<(String, u16, Value)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(5);
        world.up(QUICKSTART).await.unwrap();
        let access = world.account.with_account(|account| {
            let cluster = &account.eks.clusters["production-ray-cluster"];
            ClusterAccess {
                name: cluster.name.clone(),
                endpoint: cluster.endpoint.url.clone(),
                certificate_authority: cluster.endpoint.certificate_authority.clone(),
            }
        });
        let client = world.account.clients().kubernetes.connect(&access).unwrap();
        all_answers(&client, ray_definition).await
    })
}

#[test]
fn the_same_answers() {
    let Some(tools) = find("the_same_answers") else { return };
    let plane = ControlPlane::start(&tools);
    let ray_definition = fs::read_to_string(tools.crds().join("ray.io_rayclusters.yaml")).unwrap();
    let (real, emulated) = (real(&plane, &ray_definition), emulated(&ray_definition));
    let mut different = Vec::new();
    for (real, emulated) in real.iter().zip(&emulated) {
        if real != emulated {
            let show = |answer: &(String, u16, Value)| format!("{} {:#}", answer.1, answer.2);
            different.push(format!("== {}\n-- real {}\n-- emulated {}", real.0, show(real), show(emulated)));
        }
    }
    assert_eq!(real.len(), emulated.len());
    assert!(different.is_empty(), "{} of {}:\n{}", different.len(), real.len(), different.join("\n"));
}
