//! The AWS Price List: prices of the day, for an estimate of a platform's cost.
//! API: <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html>
//!
//! An estimate is no reason to fail or to wait: it is asked once, for a bounded time, and
//! whatever it does not say is taken from the program's own table, and said.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_pricing::{
    Client,
    types::{Filter, FilterType},
};
use futures_util::future::join_all;
use rayplat_engine::error::{ErrorClass, ProviderError};
use serde_json::Value;

use super::{Clients, classify};
use crate::platform::cost::{Money, Prices, Product};

/// For all products together.
const PATIENCE: Duration = Duration::from_secs(8);

/// Pages of one answer; the filters leave a handful of products.
const PAGES: usize = 5;

/// The prices of `products` in the clients' region.
pub async fn prices(clients: &Clients, products: &BTreeSet<Product>) -> Prices {
    let region = clients.region.as_str();
    let asked: Vec<(&Product, Query)> =
        products.iter().filter_map(|product| Some((product, query(product)?))).collect();
    let answers = join_all(asked.iter().map(|(_, query)| ask(&clients.pricing, region, query)));
    let answers = match tokio::time::timeout(PATIENCE, answers).await {
        Ok(answers) => answers,
        Err(_) => return without(region, &format!("no answer within {} seconds", PATIENCE.as_secs())),
    };
    let mut listed = BTreeMap::new();
    let mut published = String::new();
    let mut silent = Vec::new();
    for ((product, _), answer) in asked.into_iter().zip(answers) {
        match answer {
            Ok(Some(found)) => {
                listed.insert(product.clone(), found.price);
                published = published.max(found.published);
            }
            Ok(None) => silent.push(product.name()),
            Err(error) => return without(region, &error.to_string()),
        }
    }
    let prices = Prices::listed(region, listed, &published);
    if silent.is_empty() {
        return prices;
    }
    prices.remark(format!("AWS's price list has no one price of {} in {region}.", silent.join(", ")))
}

fn without(region: &str, why: &str) -> Prices {
    Prices::table(region).remark(format!("AWS's price list was not used: {why}."))
}

/// How a product is found in the list.
struct Query {
    service: &'static str,
    filters: Vec<(&'static str, String)>,
    /// The usage type without the region's prefix.
    usage: String,
}

/// `None` for what the list has in tiers, or under names that differ from region to region.
fn query(product: &Product) -> Option<Query> {
    let by = |service, filters: &[(&'static str, &str)], usage: &str| {
        let filters = filters.iter().map(|(field, value)| (*field, (*value).to_owned())).collect();
        Some(Query { service, filters, usage: usage.to_owned() })
    };
    match product {
        Product::ControlPlane => by("AmazonEKS", &[("operation", "CreateOperation")], "AmazonEKS-Hours:perCluster"),
        Product::Instance(name) => by(
            "AmazonEC2",
            &[
                ("instanceType", name),
                ("operatingSystem", "Linux"),
                ("tenancy", "Shared"),
                ("preInstalledSw", "NA"),
                ("capacitystatus", "Used"),
            ],
            &format!("BoxUsage:{name}"),
        ),
        Product::Volume(kind) => by("AmazonEC2", &[("volumeApiName", kind)], &format!("EBS:VolumeUsage.{kind}")),
        Product::Gp3Iops => by("AmazonEC2", &[("volumeApiName", "gp3")], "EBS:VolumeP-IOPS.gp3"),
        Product::Gp3Throughput => by("AmazonEC2", &[("volumeApiName", "gp3")], "EBS:VolumeP-Throughput.gp3"),
        Product::NatGateway => by("AmazonEC2", &[("productFamily", "NAT Gateway")], "NatGateway-Hours"),
        Product::InterfaceEndpoint => by("AmazonVPC", &[("productFamily", "VpcEndpoint")], "VpcEndpoint-Hours"),
        Product::PublicAddress => by("AmazonVPC", &[("group", "VPCPublicIPv4Address")], "PublicIPv4:InUseAddress"),
        Product::Key => by("awskms", &[("productFamily", "Encryption Key")], "KMS-Keys"),
        Product::ControlPlaneExtended | Product::LogIngestion | Product::LogStorage | Product::BucketStorage => None,
    }
}

/// A price and the day of the list that has it.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    price: Money,
    published: String,
}

async fn ask(pricing: &Client, region: &str, query: &Query) -> Result<Option<Found>, ProviderError> {
    let mut filters = vec![filter("regionCode", region)?];
    for (field, value) in &query.filters {
        filters.push(filter(field, value)?);
    }
    let mut found: Vec<Found> = Vec::new();
    let mut token = None;
    for _ in 0..PAGES {
        let request = pricing.get_products().service_code(query.service).set_filters(Some(filters.clone()));
        let answer = request.set_next_token(token.take()).send().await;
        let answer = answer.map_err(|error| classify(error).during("pricing", "GetProducts"))?;
        for text in answer.price_list() {
            let product: Value = serde_json::from_str(text)
                .map_err(|error| ProviderError::new(ErrorClass::Failed, format!("a product is not JSON: {error}")))?;
            found.extend(price_of(&product, &query.usage));
        }
        token = answer.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    // Two prices of one thing would be a guess.
    found.dedup_by(|a, b| a.price == b.price);
    Ok(if found.len() == 1 && token.is_none() { found.pop() } else { None })
}

fn filter(field: &str, value: &str) -> Result<Filter, ProviderError> {
    let built = Filter::builder().r#type(FilterType::TermMatch).field(field).value(value).build();
    built.map_err(|error| ProviderError::new(ErrorClass::Invalid, error.to_string()))
}

/// The On-Demand price of a product, if its usage type is the one meant.
fn price_of(product: &Value, usage: &str) -> Option<Found> {
    let name = product["product"]["attributes"]["usagetype"].as_str()?;
    if name != usage && !name.ends_with(&format!("-{usage}")) {
        return None;
    }
    let terms = product["terms"]["OnDemand"].as_object()?;
    let mut prices = terms.values().filter_map(|term| term["priceDimensions"].as_object()).flat_map(|all| all.values());
    let (first, more) = (prices.next()?, prices.next());
    if more.is_some() {
        return None;
    }
    let price = Money::parse(first["pricePerUnit"]["USD"].as_str()?)?;
    // Throughput is priced by the GiB/s; asked for is the MiB/s.
    let price = match first["unit"].as_str() {
        Some(unit) if unit.to_ascii_lowercase().starts_with("gibps") => Money::micros(price.in_micros() / 1024),
        _ => price,
    };
    let published = product["publicationDate"].as_str().unwrap_or_default();
    let published = published.split('T').next().unwrap_or_default().to_owned();
    Some(Found { price, published })
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::super::scripted::{Answer, Scripted};
    use super::*;
    use crate::platform::cost::table;
    use crate::rehearsal::{
        Rehearsal, Seed,
        faults::{FaultKind, FaultRule, Faults},
    };

    fn account(region: &str) -> Rehearsal {
        Rehearsal::in_memory(&Seed { account_id: "123456789012".into(), region: region.into(), seed: 1 }, 0)
    }

    fn some() -> BTreeSet<Product> {
        BTreeSet::from([Product::Instance("m6g.xlarge".to_owned()), Product::Key, Product::ControlPlaneExtended])
    }

    #[tokio::test(start_paused = true)]
    async fn the_emulated_list_has_what_the_table_has() {
        let every: BTreeSet<Product> = table::products().into_iter().collect();
        let prices = prices(&account("us-east-1").clients(), &every).await;
        assert_eq!(prices.remarks(), Vec::<String>::new());
        assert_eq!(prices.source(), "the AWS Price List of us-east-1, published 2026-07-20");
        for product in every.iter().filter(|product| query(product).is_some()) {
            assert_eq!(prices.from_list(product), table::price(product), "{}", product.name());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_list_does_not_have_is_said() {
        let prices = prices(&account("eu-west-1").clients(), &some()).await;
        assert_eq!(prices.get(&Product::Key), None);
        assert_eq!(prices.remarks(), ["AWS's price list has no one price of m6g.xlarge, KMS keys in eu-west-1."]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_does_not_answer_costs_a_few_seconds_and_the_table_is_used() {
        for kind in [FaultKind::Timeout, FaultKind::Throttled, FaultKind::LostAfter] {
            let account = account("us-east-1");
            account.set_faults(Faults::new(1, vec![FaultRule::anywhere(1.0, kind)]));
            let began = tokio::time::Instant::now();
            let prices = prices(&account.clients(), &some()).await;
            assert!(began.elapsed() <= PATIENCE + Duration::from_secs(1), "{kind:?}");
            assert_eq!(prices.source(), "list prices of us-east-1 as of 2026-07-20");
            let said = prices.remarks();
            assert!(said[0].starts_with("AWS's price list was not used: "), "{kind:?} {said:?}");
        }
    }

    fn offer(usage: &str, unit: &str, prices: &[&str]) -> Value {
        let dimensions: serde_json::Map<String, Value> = prices
            .iter()
            .enumerate()
            .map(|(at, usd)| (format!("S.J.{at}"), json!({"unit": unit, "pricePerUnit": {"USD": usd}})))
            .collect();
        json!({"product": {"attributes": {"usagetype": usage}}, "publicationDate": "2026-11-01T00:00:00Z",
            "terms": {"OnDemand": {"S.J": {"priceDimensions": dimensions}}}})
    }

    #[test]
    fn prices_are_read_as_the_list_writes_them() {
        let read = |usage: &str, unit: &str, prices: &[&str], wanted: &str| {
            price_of(&offer(usage, unit, prices), wanted).map(|found| found.price.in_micros())
        };
        assert_eq!(read("USE2-NatGateway-Hours", "Hrs", &["0.0450000000"], "NatGateway-Hours"), Some(45_000));
        assert_eq!(read("NatGateway-Bytes", "GB", &["0.0450000000"], "NatGateway-Hours"), None);
        let throughput = "EBS:VolumeP-Throughput.gp3";
        assert_eq!(read(throughput, "GiBps-mo", &["40.9600000000"], throughput), Some(40_000));
        // Tiers are no one price.
        assert_eq!(read("KMS-Keys", "Keys", &["1.0", "0.9"], "KMS-Keys"), None);
        assert_eq!(price_of(&json!({}), "KMS-Keys"), None);
    }

    #[tokio::test]
    async fn two_prices_of_one_thing_are_none() {
        let pages = |second: &str| {
            let list = [offer("KMS-Keys", "Keys", &["1.0"]), offer("eu-KMS-Keys", "Keys", &[second])];
            let list: Vec<String> = list.iter().map(Value::to_string).collect();
            Scripted::new(move |_, _| Answer::Ok(json!({"FormatVersion": "aws_v1", "PriceList": list})))
        };
        let wanted = BTreeSet::from([Product::Key]);
        let one = prices(&pages("1.0000").clients(), &wanted).await;
        assert_eq!(one.from_list(&Product::Key), Some(Money::micros(1_000_000)));
        let two = prices(&pages("2.0").clients(), &wanted).await;
        assert_eq!(two.from_list(&Product::Key), None);
        assert!(two.remarks()[0].contains("no one price of KMS keys"), "{:?}", two.remarks());
    }
}
