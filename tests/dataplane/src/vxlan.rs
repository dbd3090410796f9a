//! The header of VXLAN (RFC 7348).

/// Bytes of the header.
const HEADER_BYTES: usize = 8;
/// The flag that says that the VNI counts.
const VNI_IS_VALID: u8 = 0x08;

/// The VNI and the Ethernet frame of a UDP payload; `None` if it is no VXLAN.
pub(crate) fn parse(payload: &[u8]) -> Option<(u32, &[u8])> {
    let (header, frame) = payload.split_at_checked(HEADER_BYTES)?;
    let [flags, _, _, _, high, middle, low, _] = header else {
        return None;
    };
    let vni = u32::from_be_bytes([0, *high, *middle, *low]);
    (flags & VNI_IS_VALID != 0).then_some((vni, frame))
}

/// The UDP payload for a frame.
pub(crate) fn wrap(vni: u32, frame: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = vni.to_be_bytes();
    let mut payload = vec![VNI_IS_VALID, 0, 0, 0, high, middle, low, 0];
    payload.extend_from_slice(frame);
    payload
}

#[cfg(test)]
mod tests {
    use super::{parse, wrap};

    #[test]
    fn wrapped_frame_is_read_back() {
        let payload = wrap(0x0001_0203, b"frame");
        assert_eq!(payload[..8], [8, 0, 0, 0, 1, 2, 3, 0]);
        assert_eq!(parse(&payload), Some((0x0001_0203, &b"frame"[..])));
    }

    #[test]
    fn payload_without_vni_or_header_is_refused() {
        assert_eq!(parse(&[0, 0, 0, 0, 0, 0, 2, 0, 1]), None);
        assert_eq!(parse(&[8, 0, 0, 0, 0, 0, 2]), None);
    }
}
