//! MAC addresses and their derivation from node addresses.
//!
//! The rule is Cilium's VTEP convention for BIG-IP: a two-octet prefix, then the four octets of the
//! node's IPv4 address (F5 CIS writes `0a:0a:c0:a8:c8:41` for 192.168.200.65). Knows nothing of
//! route domains, records or devices.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A 48-bit MAC address. Displayed in lower case with colons, the form every observed BIG-IP uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// Why a text is not a MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a MAC address: six octets of two hex digits, separated by colons or dashes")]
pub struct ParseMacError;

impl MacAddress {
    /// The address made of these octets.
    pub const fn new(octets: [u8; 6]) -> Self {
        Self(octets)
    }

    /// The octets, most significant first.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// The IPv4 address that this MAC encodes under `prefix`, if it carries that prefix.
    pub fn encoded_address(self, prefix: MacPrefix) -> Option<Ipv4Addr> {
        let [p0, p1, a, b, c, d] = self.0;
        ([p0, p1] == prefix.0).then(|| Ipv4Addr::new(a, b, c, d))
    }
}

impl FromStr for MacAddress {
    type Err = ParseMacError;

    /// Reads `0a:0a:0a:a9:48:ef` in any case, with colons or dashes (not mixed).
    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0_u8; 6];
        let mut parts = text.split(separator);
        for octet in &mut octets {
            *octet = parse_octet(parts.next().ok_or(ParseMacError)?)?;
        }
        match parts.next() {
            None => Ok(Self(octets)),
            Some(_) => Err(ParseMacError),
        }
    }
}

fn parse_octet(text: &str) -> Result<u8, ParseMacError> {
    // `from_str_radix` alone would take "+a" and single digits.
    if text.len() != 2 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(ParseMacError);
    }
    u8::from_str_radix(text, 16).map_err(|_| ParseMacError)
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, octet) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ":" };
            write!(f, "{separator}{octet:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The first two octets of every derived MAC address: locally administered, unicast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacPrefix([u8; 2]);

/// Why a text is not a usable MAC prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParsePrefixError {
    /// Not two octets.
    #[error("not a MAC prefix: two octets of two hex digits, separated by a colon")]
    Syntax,
    /// A multicast or a vendor's address would collide with real hardware.
    #[error("the MAC prefix must be locally administered and unicast (second digit 2, 6, a or e)")]
    NotLocalUnicast,
}

impl MacPrefix {
    /// `0a:0a`, what F5 CIS writes, so that taking over from it changes nothing on the BIG-IP.
    pub const DEFAULT: Self = Self([0x0a, 0x0a]);

    /// The MAC address of the node with this address. Different addresses give different MACs.
    pub const fn derive(self, address: Ipv4Addr) -> MacAddress {
        let [p0, p1] = self.0;
        let [a, b, c, d] = address.octets();
        MacAddress([p0, p1, a, b, c, d])
    }
}

impl Default for MacPrefix {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl FromStr for MacPrefix {
    type Err = ParsePrefixError;

    fn from_str(text: &str) -> Result<Self, ParsePrefixError> {
        let (first, second) = text.split_once(':').ok_or(ParsePrefixError::Syntax)?;
        let first = parse_octet(first).map_err(|_| ParsePrefixError::Syntax)?;
        let second = parse_octet(second).map_err(|_| ParsePrefixError::Syntax)?;
        // IEEE 802: bit 0 of the first octet marks multicast, bit 1 a locally administered address.
        if first & 0b11 == 0b10 {
            Ok(Self([first, second]))
        } else {
            Err(ParsePrefixError::NotLocalUnicast)
        }
    }
}

impl fmt::Display for MacPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.0;
        write!(f, "{a:02x}:{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn published_example_gives_the_published_mac() {
        let mac = MacPrefix::DEFAULT.derive(Ipv4Addr::new(10, 169, 72, 239));
        assert_eq!(mac.to_string(), "0a:0a:0a:a9:48:ef");
    }

    #[test]
    fn case_and_dashes_do_not_matter() {
        let expected = MacAddress::new([0x0a, 0x0a, 0x0a, 0xa9, 0x48, 0xef]);
        assert_eq!("0A:0A:0A:A9:48:EF".parse(), Ok(expected));
        assert_eq!("0a-0a-0a-a9-48-ef".parse(), Ok(expected));
    }

    #[test]
    fn texts_that_only_resemble_a_mac_are_refused() {
        for text in [
            "",
            "0a:0a:0a:a9:48",
            "0a:0a:0a:a9:48:ef:00",
            "0a:0a:0a:a9:48:e",
            "0a:0a:0a:a9:48:+f",
            "0a:0a-0a:a9:48:ef",
            "0a0a.0aa9.48ef",
        ] {
            assert_eq!(text.parse::<MacAddress>(), Err(ParseMacError), "{text}");
        }
    }

    #[test]
    fn vendor_or_group_prefix_is_refused() {
        assert_eq!(
            "00:50".parse::<MacPrefix>(),
            Err(ParsePrefixError::NotLocalUnicast)
        );
        assert_eq!(
            "0b:0a".parse::<MacPrefix>(),
            Err(ParsePrefixError::NotLocalUnicast)
        );
        assert_eq!("0a".parse::<MacPrefix>(), Err(ParsePrefixError::Syntax));
    }

    proptest! {
        #[test]
        fn printed_mac_parses_to_the_same(octets: [u8; 6]) {
            let mac = MacAddress::new(octets);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
        }

        #[test]
        fn different_addresses_give_different_macs(a: u32, b: u32) {
            let derive = |n| MacPrefix::DEFAULT.derive(Ipv4Addr::from_bits(n));
            prop_assert_eq!(derive(a) == derive(b), a == b);
        }

        #[test]
        fn derived_mac_decodes_to_its_address(bits: u32) {
            let address = Ipv4Addr::from_bits(bits);
            let mac = MacPrefix::DEFAULT.derive(address);
            prop_assert_eq!(mac.encoded_address(MacPrefix::DEFAULT), Some(address));
        }
    }
}
