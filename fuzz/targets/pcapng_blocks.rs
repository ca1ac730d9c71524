//! A capture comes from a wire, in pieces of any length: it is parted into blocks, or refused.
//!
//! The first byte is the length of the pieces.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vnflab_wire::capture::blocks::{BlockReader, Body};

fuzz_target!(|input: &[u8]| {
    let Some((piece, stream)) = input.split_first() else {
        return;
    };
    let mut reader = BlockReader::default();
    let mut passed_on = Vec::new();
    for bytes in stream.chunks(usize::from(*piece) + 1) {
        reader.push(bytes);
        loop {
            match reader.next_block() {
                Ok(Some(block)) => {
                    passed_on.extend_from_slice(block.bytes);
                    if let Body::Packet(packet) = block.body {
                        assert!(packet.frame.len() + 32 <= block.bytes.len());
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    assert!(stream.starts_with(&passed_on));
                    return;
                }
            }
        }
    }
    assert!(
        stream.starts_with(&passed_on),
        "blocks are passed on as they came"
    );
});
