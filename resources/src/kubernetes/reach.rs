//! Whether a private endpoint answers from here: found out before anything is made.
//! Source: <https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html#private-access>

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use ipnet::Ipv4Net;
use rayplat_engine::error::ProviderError;
use tokio::net::{TcpStream, UdpSocket};

use crate::aws::{Clients, classify};

/// How long a connection inside a VPC may take; from outside none is refused, they only wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It answers, or will: this machine is in the VPC.
    Yes,
    /// It does not; why.
    No(String),
}

/// Connects to an endpoint that stands, and says nothing there.
pub async fn standing(endpoint: &str) -> Reach {
    let Some(host) = endpoint.strip_prefix("https://").map(|rest| rest.trim_end_matches('/')) else {
        return Reach::No(format!("`{endpoint}` is no endpoint"));
    };
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:443") };
    match tokio::time::timeout(PATIENCE, TcpStream::connect(&address)).await {
        Ok(Ok(_)) => Reach::Yes,
        Ok(Err(error)) => Reach::No(format!("{address}: {error}")),
        Err(_) => Reach::No(format!("{address} did not answer within {} s", PATIENCE.as_secs())),
    }
}

/// Whether this machine has an address of the VPC, in which the endpoint will be.
///
/// # Errors
/// EC2 does not say which networks the VPC has.
pub async fn in_vpc(clients: &Clients, vpc_id: &str) -> Result<Reach, ProviderError> {
    let answer = clients.ec2.describe_vpcs().vpc_ids(vpc_id).send().await.map_err(classify)?;
    let vpc = answer.vpcs().first();
    let associated = vpc.into_iter().flat_map(|vpc| vpc.cidr_block_association_set());
    let networks: Vec<Ipv4Net> =
        associated.filter_map(|association| association.cidr_block()).filter_map(|cidr| cidr.parse().ok()).collect();
    for network in &networks {
        let towards = network.hosts().next().unwrap_or_else(|| network.network());
        if local_address(towards).await.is_some_and(|address| networks.iter().any(|net| net.contains(&address))) {
            return Ok(Reach::Yes);
        }
    }
    let shown: Vec<String> = networks.iter().map(ToString::to_string).collect();
    Ok(Reach::No(format!("this machine has no address in {vpc_id} ({})", shown.join(", "))))
}

/// The address that this machine would send from; nothing is sent.
async fn local_address(towards: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await.ok()?;
    socket.connect(SocketAddr::new(IpAddr::V4(towards), 443)).await.ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_endpoint_answers_or_does_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(standing(&format!("https://{address}")).await, Reach::Yes);
        drop(listener);
        assert!(matches!(standing(&format!("https://{address}")).await, Reach::No(why) if why.contains("refused")));
        assert!(matches!(standing("ftp://x").await, Reach::No(_)));
    }

    #[tokio::test]
    async fn this_machines_own_address_is_known() {
        assert_eq!(local_address(Ipv4Addr::LOCALHOST).await, Some(Ipv4Addr::LOCALHOST));
    }
}
