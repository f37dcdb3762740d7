//! In which zones a platform's own network stands. They are chosen once: from then on what
//! stands decides, whatever the account says its zones are.

use std::collections::BTreeSet;

use super::manifest::{ResolvedCreate, types::Zones};
use crate::aws::{WITHOUT_CONTROL_PLANE, Zone};

/// The zones in which a network stands, by the URNs of its subnets and NAT gateways.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    subnets: BTreeSet<String>,
    gateways: BTreeSet<String>,
}

/// Why no zones can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// Too few.
    #[error("the account has {found} zones here in which EKS can run, and the manifest asks for {wanted}")]
    TooFew {
        /// That many can be used.
        found: usize,
        /// That many are wanted.
        wanted: usize,
    },
    /// A named one that is not there.
    #[error("{0} is not a zone that this account can use now")]
    Unknown(String),
    /// A named one in which the control plane cannot run.
    #[error("EKS puts no control plane in {name} ({id} in this account)")]
    Refused {
        /// Its name.
        name: String,
        /// Its id.
        id: String,
    },
}

impl ZoneError {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::TooFew { found, .. } => {
                format!("Write `availability_zones: {}` in `network.create`, or use another region.", found.max(&2))
            }
            Self::Unknown(_) | Self::Refused { .. } => "Name another zone in `network.create.availability_zones`, or \
                                                        write how many there shall be."
                .to_owned(),
        }
    }
}

impl Standing {
    /// What these resources show. Others are passed over.
    pub fn of<'a>(urns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut standing = Self::default();
        for urn in urns {
            if let Some(zone) = urn.strip_prefix("aws:ec2:Subnet/private-") {
                standing.subnets.insert(zone.to_owned());
            } else if let Some(zone) = urn.strip_prefix("aws:ec2:NatGateway/") {
                standing.gateways.insert(zone.to_owned());
            }
        }
        standing
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.subnets.extend(other.subnets);
        self.gateways.extend(other.gateways);
        self
    }

    /// True if what stands is all that the network needs: then nobody has to be asked.
    pub fn is_enough_for(&self, create: &ResolvedCreate) -> bool {
        match &create.availability_zones {
            Zones::Count(count) => self.subnets.len() >= usize::try_from(*count).unwrap_or(usize::MAX),
            Zones::Names(names) => names.iter().all(|name| self.subnets.contains(name)),
        }
    }

    /// The zones of the network. First the one whose NAT gateway stands, so that a single
    /// gateway never moves; else in the order of their names.
    ///
    /// # Errors
    /// The account has not the zones that are asked for.
    pub fn choose(&self, create: &ResolvedCreate, available: &[Zone]) -> Result<Vec<String>, ZoneError> {
        let mut chosen = match &create.availability_zones {
            Zones::Count(count) => self.take(usize::try_from(*count).unwrap_or(usize::MAX), available)?,
            Zones::Names(names) => {
                names
                    .iter()
                    .filter(|name| !self.subnets.contains(*name))
                    .try_for_each(|name| check(name, available))?;
                names.clone()
            }
        };
        chosen.sort_by_key(|zone| (!self.gateways.contains(zone), zone.clone()));
        Ok(chosen)
    }

    fn take(&self, count: usize, available: &[Zone]) -> Result<Vec<String>, ZoneError> {
        let standing = self.gateways.intersection(&self.subnets).chain(self.subnets.difference(&self.gateways));
        let more = available
            .iter()
            .filter(|zone| !WITHOUT_CONTROL_PLANE.contains(&zone.id.as_str()) && slot(&zone.name).is_some())
            .map(|zone| &zone.name)
            .filter(|name| !self.subnets.contains(*name));
        let chosen: Vec<String> = standing.chain(more).take(count).cloned().collect();
        if chosen.len() < count {
            return Err(ZoneError::TooFew { found: chosen.len(), wanted: count });
        }
        Ok(chosen)
    }
}

fn check(name: &str, available: &[Zone]) -> Result<(), ZoneError> {
    let Some(zone) = available.iter().find(|zone| zone.name == name) else {
        return Err(ZoneError::Unknown(name.to_owned()));
    };
    if WITHOUT_CONTROL_PLANE.contains(&zone.id.as_str()) {
        return Err(ZoneError::Refused { name: name.to_owned(), id: zone.id.clone() });
    }
    Ok(())
}

/// Which part of a network's block a zone has, 0 to 6: its letter decides, so that another
/// zone's coming or going never moves a subnet.
pub(super) fn slot(zone: &str) -> Option<u8> {
    let letter = *zone.as_bytes().last()?;
    (b'a'..=b'g').contains(&letter).then(|| letter - b'a')
}

/// The first zones of a region by their usual names, for a graph that nobody's account is
/// asked for.
pub fn usual_zones(region: &str, create: &ResolvedCreate) -> Vec<String> {
    match &create.availability_zones {
        Zones::Names(names) => names.clone(),
        Zones::Count(count) => {
            ('a'..='g').take(usize::try_from(*count).unwrap_or(usize::MAX)).map(|c| format!("{region}{c}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::types::NatGateways;
    use super::*;

    fn create(availability_zones: Zones) -> ResolvedCreate {
        ResolvedCreate {
            cidr: "10.0.0.0/16".to_owned(),
            availability_zones,
            nat_gateways: NatGateways::Single,
            vpc_endpoints: Vec::new(),
        }
    }

    fn available(letters: &str) -> Vec<Zone> {
        let id = |letter| if letter == 'b' { "use1-az3".to_owned() } else { format!("use1-{letter}") };
        letters.chars().map(|c| Zone { name: format!("us-east-1{c}"), id: id(c) }).collect()
    }

    fn chosen(standing: &[&str], zones: Zones, letters: &str) -> Result<String, ZoneError> {
        let zones = Standing::of(standing.iter().copied()).choose(&create(zones), &available(letters))?;
        Ok(zones.iter().filter_map(|zone| zone.strip_prefix("us-east-1")).collect())
    }

    #[test]
    fn the_first_zones_that_eks_takes() {
        assert_eq!(chosen(&[], Zones::Count(3), "abcdef").as_deref(), Ok("acd"));
        let few = chosen(&[], Zones::Count(3), "abc");
        assert_eq!(few, Err(ZoneError::TooFew { found: 2, wanted: 3 }));
    }

    #[test]
    fn what_stands_decides_whatever_the_account_says() {
        let standing = ["aws:ec2:Subnet/private-us-east-1d", "aws:ec2:Subnet/private-us-east-1f"];
        assert_eq!(chosen(&standing, Zones::Count(2), "").as_deref(), Ok("df"));
        assert_eq!(chosen(&standing, Zones::Count(3), "abcdef").as_deref(), Ok("adf"));
        assert!(Standing::of(standing).is_enough_for(&create(Zones::Count(2))));
        assert!(!Standing::of(standing).is_enough_for(&create(Zones::Count(3))));
    }

    #[test]
    fn the_zone_of_a_single_gateway_comes_first_and_goes_last() {
        let standing = [
            "aws:ec2:Subnet/private-us-east-1c",
            "aws:ec2:Subnet/private-us-east-1d",
            "aws:ec2:Subnet/private-us-east-1e",
            "aws:ec2:NatGateway/us-east-1d",
            "aws:ec2:Subnet/public-us-east-1f",
        ];
        assert_eq!(chosen(&standing, Zones::Count(4), "acde").as_deref(), Ok("dace"));
        assert_eq!(chosen(&standing, Zones::Count(2), "").as_deref(), Ok("dc"));
        let names = |letters: &str| Zones::Names(letters.chars().map(|c| format!("us-east-1{c}")).collect());
        assert_eq!(chosen(&standing, names("cd"), "").as_deref(), Ok("dc"));
        assert_eq!(chosen(&standing, names("az"), "a"), Err(ZoneError::Unknown("us-east-1z".to_owned())));
        let refused = ZoneError::Refused { name: "us-east-1b".to_owned(), id: "use1-az3".to_owned() };
        assert_eq!(chosen(&standing, names("bc"), "abc"), Err(refused));
    }
}
