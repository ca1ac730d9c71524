//! The telnet protocol as QEMU's console server speaks it: bytes in, bytes out, no socket.
//!
//! A [`Decoder`] takes what came from the server apart into the guest's output and the answers
//! that the server is owed; [`encode`] prepares the user's input. Option negotiation follows
//! RFC 854 and answers only changes (RFC 1143), so two parties can never answer each other for
//! ever. Invariant: how the input is cut into pieces makes no difference.
//!
//! QEMU doubles no 0xFF byte in the guest's output. A 0xFF that is followed by a byte that is no
//! telnet command is therefore passed on as data, both bytes.

/// Begins every telnet command.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
/// Begins a subnegotiation, which ends with [`IAC`] [`SE`].
const SB: u8 = 250;
/// The lowest command; lower bytes after [`IAC`] are none.
const SE: u8 = 240;

/// Options that we agree to: 8-bit data, the server's echo, and no go-aheads.
const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

/// Takes the server's bytes apart.
///
/// ```text
///            0xFF             WILL WONT DO DONT          option
///   Data ------------> Command ----------------> Option ---------> Data
///    ^  \__ any other     | | SB                                     
///    |                    | v            0xFF
///    +--------------------+ Subnegotiation ----> SubnegotiationCommand
///         other command        ^------------------ not SE |
///    ^------------------------------------------------ SE +
/// ```
#[derive(Debug, Clone)]
pub struct Decoder {
    state: State,
    /// Options that the server has switched on at its side.
    remote: [bool; 256],
    /// Options that we have switched on at ours.
    local: [bool; 256],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Data,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// What a piece of the server's bytes meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decoded {
    /// Output of the guest.
    pub data: Vec<u8>,
    /// To be sent to the server, as it is.
    pub reply: Vec<u8>,
    /// Whether the server negotiated, which it does only with a client that it serves.
    pub negotiated: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            state: State::Data,
            remote: [false; 256],
            local: [false; 256],
        }
    }
}

impl Decoder {
    /// Takes the next bytes.
    pub fn decode(&mut self, bytes: &[u8]) -> Decoded {
        let mut decoded = Decoded::default();
        for byte in bytes {
            self.state = self.step(*byte, &mut decoded);
        }
        decoded
    }

    fn step(&mut self, byte: u8, decoded: &mut Decoded) -> State {
        match (self.state, byte) {
            (State::Data, IAC) => State::Command,
            (State::Data, _) => {
                decoded.data.push(byte);
                State::Data
            }
            (State::Command, IAC) => {
                decoded.data.push(IAC);
                State::Data
            }
            (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
            (State::Command, SB) => State::Subnegotiation,
            (State::Command, SE..) => State::Data,
            (State::Command, _) => {
                decoded.data.extend([IAC, byte]);
                State::Data
            }
            (State::Option(verb), option) => {
                decoded.negotiated = true;
                self.negotiate(verb, option, &mut decoded.reply);
                State::Data
            }
            (State::Subnegotiation, IAC) => State::SubnegotiationCommand,
            (State::Subnegotiation, _) => State::Subnegotiation,
            (State::SubnegotiationCommand, SE) => State::Data,
            (State::SubnegotiationCommand, _) => State::Subnegotiation,
        }
    }

    fn negotiate(&mut self, verb: u8, option: u8, reply: &mut Vec<u8>) {
        let agreed = matches!(option, BINARY | ECHO | SUPPRESS_GO_AHEAD);
        let (side, yes, no) = match verb {
            WILL | WONT => (&mut self.remote[usize::from(option)], DO, DONT),
            _ => (&mut self.local[usize::from(option)], WILL, WONT),
        };
        // We echo nothing ourselves: a request that we do so is refused.
        let agreed = agreed && !(verb == DO && option == ECHO);
        match (verb, *side) {
            (WILL | DO, true) | (WONT | DONT, false) => {}
            (WILL | DO, false) if agreed => {
                *side = true;
                reply.extend([IAC, yes, option]);
            }
            (WILL | DO, false) => reply.extend([IAC, no, option]),
            (_, true) => {
                *side = false;
                reply.extend([IAC, no, option]);
            }
            (_, false) => {}
        }
    }
}

/// The user's bytes as they go to the server: 0xFF is doubled, all else stays.
pub fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(bytes.len());
    for byte in bytes {
        encoded.push(*byte);
        if *byte == IAC {
            encoded.push(IAC);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What QEMU 7.2 sends on accepting a client.
    const GREETING: [u8; 12] = [
        IAC,
        WILL,
        ECHO,
        IAC,
        WILL,
        SUPPRESS_GO_AHEAD,
        IAC,
        WILL,
        BINARY,
        IAC,
        DO,
        BINARY,
    ];

    fn decode_in_pieces(bytes: &[u8], cuts: &[usize]) -> Decoded {
        let mut decoder = Decoder::default();
        let mut whole = Decoded::default();
        let mut rest = bytes;
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut % (rest.len() + 1));
            rest = tail;
            join(&mut whole, decoder.decode(piece));
        }
        join(&mut whole, decoder.decode(rest));
        whole
    }

    fn join(whole: &mut Decoded, piece: Decoded) {
        whole.data.extend(piece.data);
        whole.reply.extend(piece.reply);
        whole.negotiated |= piece.negotiated;
    }

    #[test]
    fn the_greeting_is_answered_once_and_is_not_output() {
        let mut decoder = Decoder::default();
        let first = decoder.decode(&GREETING);
        let answer = [
            IAC,
            DO,
            ECHO,
            IAC,
            DO,
            SUPPRESS_GO_AHEAD,
            IAC,
            DO,
            BINARY,
            IAC,
            WILL,
            BINARY,
        ];
        assert_eq!(
            (first.data, first.reply),
            (Vec::new(), answer.to_vec()),
            "{:?}",
            GREETING
        );
        assert!(first.negotiated);
        assert_eq!(decoder.decode(&GREETING).reply, Vec::<u8>::new());
    }

    #[test]
    fn unknown_options_are_refused_and_taking_back_is_confirmed() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(&[IAC, WILL, 34]).reply, [IAC, DONT, 34]);
        assert_eq!(decoder.decode(&[IAC, DO, 31]).reply, [IAC, WONT, 31]);
        assert_eq!(decoder.decode(&[IAC, DO, ECHO]).reply, [IAC, WONT, ECHO]);
        assert_eq!(decoder.decode(&[IAC, WONT, ECHO]).reply, Vec::<u8>::new());
        assert_eq!(decoder.decode(&[IAC, WILL, ECHO]).reply, [IAC, DO, ECHO]);
        assert_eq!(decoder.decode(&[IAC, WONT, ECHO]).reply, [IAC, DONT, ECHO]);
    }

    #[test]
    fn commands_and_subnegotiations_vanish_and_escaped_bytes_stay() {
        let bytes = [
            b'a', IAC, 241, b'b', IAC, IAC, b'c', IAC, SB, 24, 1, IAC, IAC, 2, IAC, SE, b'd',
        ];
        assert_eq!(Decoder::default().decode(&bytes).data, b"ab\xffcd");
    }

    #[test]
    fn a_bare_ff_of_the_guest_is_data() {
        assert_eq!(Decoder::default().decode(b"\xffA").data, b"\xffA");
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_makes_no_difference(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 240..=255u8], 0..200),
            cuts in proptest::collection::vec(any::<usize>(), 0..20),
        ) {
            let whole = Decoder::default().decode(&bytes);
            prop_assert_eq!(decode_in_pieces(&bytes, &cuts), whole);
        }

        #[test]
        fn what_is_encoded_is_decoded_unchanged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let decoded = Decoder::default().decode(&encode(&bytes));
            prop_assert_eq!(decoded.data, bytes);
            prop_assert!(decoded.reply.is_empty());
        }
    }
}
