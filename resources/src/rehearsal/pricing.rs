//! The emulated price list: the products of the program's own table, as AWS writes them.
//! API: <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html>

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Account, ApiError,
    params::{list, number, page, text},
};
use crate::platform::cost::{Product, table};

/// Answers one call. It does not look at the account: prices are the same for all.
///
/// # Errors
/// The service's refusal.
pub fn call(_: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "GetProducts" => products(params),
        other => Err(ApiError::new(400, "UnknownOperationException", format!("There is no operation {other}."))),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}

fn products(params: &Value) -> Result<Value, ApiError> {
    let service = text(params, "ServiceCode").ok_or_else(|| invalid("ServiceCode is required"))?;
    let limit = number(params, "MaxResults").unwrap_or(100);
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| invalid("MaxResults must be between 1 and 100"))?;
    let mut found = Vec::new();
    for product in table::products() {
        let Some((of, family, attributes)) = attributes(&product) else { continue };
        if of == service && list(params, "Filters").iter().all(|filter| fits(filter, family, &attributes)) {
            found.push((sku(&product), offer(&product, of, family, attributes).to_string()));
        }
    }
    let page = page(found, text(params, "NextToken"), limit)
        .ok_or_else(|| ApiError::new(400, "InvalidNextTokenException", "The pagination token is invalid."))?;
    Ok(json!({"FormatVersion": "aws_v1", "PriceList": page.items, "NextToken": page.next}))
}

fn fits(filter: &Value, family: &str, attributes: &Value) -> bool {
    let (field, value) = (text(filter, "Field").unwrap_or_default(), text(filter, "Value").unwrap_or_default());
    let is = if field == "productFamily" { family } else { attributes[field].as_str().unwrap_or_default() };
    match text(filter, "Type") {
        Some("CONTAINS") => is.contains(value),
        _ => is == value,
    }
}

/// Service code, product family and attributes; `None` for what the list has in tiers.
fn attributes(product: &Product) -> Option<(&'static str, &'static str, Value)> {
    let (service, family, usage) = match product {
        Product::ControlPlane => ("AmazonEKS", "Compute", "USE1-AmazonEKS-Hours:perCluster".to_owned()),
        Product::Instance(name) => ("AmazonEC2", "Compute Instance", format!("BoxUsage:{name}")),
        Product::Volume(kind) => ("AmazonEC2", "Storage", format!("EBS:VolumeUsage.{kind}")),
        Product::Gp3Iops => ("AmazonEC2", "System Operation", "EBS:VolumeP-IOPS.gp3".to_owned()),
        Product::Gp3Throughput => ("AmazonEC2", "Provisioned Throughput", "EBS:VolumeP-Throughput.gp3".to_owned()),
        Product::NatGateway => ("AmazonEC2", "NAT Gateway", "NatGateway-Hours".to_owned()),
        Product::InterfaceEndpoint => ("AmazonVPC", "VpcEndpoint", "VpcEndpoint-Hours".to_owned()),
        Product::PublicAddress => ("AmazonVPC", "VPC Public IPv4 Address", "PublicIPv4:InUseAddress".to_owned()),
        Product::Key => ("awskms", "Encryption Key", "us-east-1-KMS-Keys".to_owned()),
        Product::ControlPlaneExtended | Product::LogIngestion | Product::LogStorage | Product::BucketStorage => {
            return None;
        }
    };
    let mut attributes = json!({"servicecode": service, "regionCode": table::REGION, "usagetype": usage,
        "location": "US East (N. Virginia)", "locationType": "AWS Region"});
    let more = match product {
        Product::ControlPlane => json!({"operation": "CreateOperation"}),
        Product::Instance(name) => json!({"instanceType": name, "operatingSystem": "Linux", "tenancy": "Shared",
            "preInstalledSw": "NA", "capacitystatus": "Used", "licenseModel": "No License required",
            "operation": "RunInstances", "marketoption": "OnDemand"}),
        Product::Volume(kind) => json!({"volumeApiName": kind}),
        Product::Gp3Iops | Product::Gp3Throughput => json!({"volumeApiName": "gp3"}),
        Product::PublicAddress => json!({"group": "VPCPublicIPv4Address"}),
        _ => json!({}),
    };
    if let (Some(all), Some(more)) = (attributes.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    Some((service, family, attributes))
}

/// Sixteen capitals and digits, the same in every run.
fn sku(product: &Product) -> String {
    hex::encode_upper(&Sha256::digest(product.name())[..8])
}

fn offer(product: &Product, service: &str, family: &str, attributes: Value) -> Value {
    let sku = sku(product);
    let price = table::price(product).unwrap_or_default();
    let (unit, price) = match product {
        Product::Volume(_) => ("GB-Mo", price),
        Product::Gp3Iops => ("IOPS-Mo", price),
        // The list has it by the GiB/s.
        Product::Gp3Throughput => ("GiBps-mo", price.times(1024)),
        Product::Key => ("Keys", price),
        _ => ("Hrs", price),
    };
    let usd = format!("{:.10}", f64::from(u32::try_from(price.in_micros()).unwrap_or(u32::MAX)) / 1e6);
    let (term, rate) = (format!("{sku}.JRTCKXETXF"), format!("{sku}.JRTCKXETXF.6YS6EN2CT7"));
    let dimension = json!({"rateCode": rate, "unit": unit, "beginRange": "0", "endRange": "Inf", "appliesTo": [],
        "description": format!("${} per {unit}", price.exact()), "pricePerUnit": {"USD": usd}});
    let on_demand = json!({"sku": sku, "offerTermCode": "JRTCKXETXF", "termAttributes": {},
        "effectiveDate": format!("{}T00:00:00Z", table::DATE), "priceDimensions": {rate: dimension}});
    json!({
        "product": {"sku": sku, "productFamily": family, "attributes": attributes},
        "serviceCode": service,
        "terms": {"OnDemand": {term: on_demand}},
        "version": table::DATE.replace('-', ""),
        "publicationDate": format!("{}T00:00:00Z", table::DATE),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_pricing::error::ProvideErrorMetadata as _;

    use super::super::testing::rehearsal;

    #[tokio::test(start_paused = true)]
    async fn lists_come_in_pages() {
        let pricing = rehearsal().clients().pricing;
        let mut token = None;
        let mut seen = 0;
        loop {
            let page = pricing.get_products().service_code("AmazonEC2").set_next_token(token).send().await.unwrap();
            seen += page.price_list().len();
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert!(seen > 170, "{seen}");
        let none = pricing.get_products().service_code("AmazonRDS").send().await.unwrap();
        assert!(none.price_list().is_empty());
        let refused = pricing.get_products().service_code("AmazonEC2").max_results(101).send().await.unwrap_err();
        assert_eq!(refused.code(), Some("InvalidParameterException"));
    }
}
