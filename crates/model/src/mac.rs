//! MAC addresses.

use std::fmt;
use std::str::FromStr;

/// A 48-bit Ethernet address. Displayed as lower-case pairs with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// Why a text is no MAC address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Not six pairs of hex digits.
    #[error("`{0}` is not six pairs of hex digits")]
    Form(String),
    /// The group bit is set: frames are never sent from such an address.
    #[error("`{0}` is a group address")]
    Group(MacAddress),
    /// All zeros.
    #[error("the address is all zeros")]
    Zero,
}

impl MacAddress {
    /// How QEMU's customary addresses begin (52:54:00); locally administered.
    pub const QEMU_PREFIX: [u8; 2] = [0x52, 0x54];

    /// An address that begins as QEMU's do, with 32 bits of our own behind.
    pub fn qemu(suffix: u32) -> Self {
        let [a, b, c, d] = suffix.to_be_bytes();
        let [x, y] = Self::QEMU_PREFIX;
        Self([x, y, a, b, c, d])
    }

    /// The six bytes, in the order of transmission.
    pub fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl FromStr for MacAddress {
    type Err = MacError;

    /// Reads `52:54:00:cc:cc:01` or the same with hyphens.
    ///
    /// # Errors
    ///
    /// When the text has another form, or names an address that no interface can have.
    fn from_str(text: &str) -> Result<Self, MacError> {
        let form = || MacError::Form(text.to_owned());
        let mut octets = [0; 6];
        let mut pairs = text.split([':', '-']);
        for octet in &mut octets {
            let pair = pairs.next().ok_or_else(form)?;
            if pair.len() != 2 || !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(form());
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| form())?;
        }
        if pairs.next().is_some() {
            return Err(form());
        }
        let address = Self(octets);
        if octets == [0; 6] {
            return Err(MacError::Zero);
        }
        if octets[0] & 1 == 1 {
            return Err(MacError::Group(address));
        }
        Ok(address)
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.0;
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip_and_bad_ones_are_refused() {
        let address: MacAddress = "52:54:00:CC:cc:01".parse().unwrap();
        assert_eq!(address.to_string(), "52:54:00:cc:cc:01");
        assert_eq!(MacAddress::qemu(0x00cc_cc01), address);
        for text in [
            "",
            "52:54:00:cc:cc",
            "52:54:00:cc:cc:01:02",
            "52:54:00:cc:cc:1",
            "44:38:39:1eaf:11",
            "5+:54:00:cc:cc:01",
        ] {
            assert_eq!(
                text.parse::<MacAddress>(),
                Err(MacError::Form(text.to_owned()))
            );
        }
        assert_eq!(
            "00:00:00:00:00:00".parse::<MacAddress>(),
            Err(MacError::Zero)
        );
        assert!(matches!(
            "01:80:c2:00:00:00".parse::<MacAddress>(),
            Err(MacError::Group(_))
        ));
    }
}
