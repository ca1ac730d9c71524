//! Frames of many kinds, the same for the same seed.

/// Numbers that look random and follow from a seed (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        (self.next() % sides as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

const MACS: [[u8; 6]; 5] = [
    [0x52, 0x54, 0, 0, 0, 1],
    [0x52, 0x54, 0, 0, 0, 2],
    [0x01, 0x80, 0xc2, 0, 0, 0x0e],
    [0x01, 0, 0x5e, 0, 0, 5],
    [0xff; 6],
];
const ADDRESSES: [[u8; 4]; 7] = [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
    [10, 1, 2, 3],
    [192, 168, 1, 1],
    [224, 0, 0, 5],
    [255, 255, 255, 255],
    [0, 0, 0, 0],
];
const PORTS: [u16; 10] = [22, 53, 80, 123, 179, 443, 646, 3784, 8000, 8042];
const TRANSPORTS: [u8; 14] = [6, 6, 6, 17, 17, 1, 2, 9, 50, 51, 89, 103, 112, 132];
const TRANSPORTS_6: [u8; 9] = [6, 17, 58, 44, 132, 89, 50, 0, 103];

/// One frame. A third of them are cut off or have a byte that is wrong.
pub(crate) fn frame(dice: &mut Dice) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(dice.pick(&MACS));
    frame.extend(dice.pick(&MACS[..2]));
    for _ in 0..dice.pick(&[0, 0, 0, 0, 1, 1, 2]) {
        frame.extend(
            dice.pick(&[0x8100_u16, 0x8100, 0x88a8, 0x9100])
                .to_be_bytes(),
        );
        let tag = dice.pick(&[0x0014_u16, 0xe014, 0x0007, 0x1fff]);
        frame.extend(tag.to_be_bytes());
    }
    match dice.roll(12) {
        0 | 1 => labelled(dice, &mut frame),
        2 => session(dice, &mut frame),
        _ => typed(dice, &mut frame),
    }
    if dice.roll(4) == 0 {
        let more = dice.roll(40);
        frame.extend(dice.bytes(more));
    }
    match dice.roll(9) {
        0 | 1 => frame.truncate(dice.roll(frame.len() + 1)),
        2 => {
            let at = dice.roll(frame.len());
            frame[at] = dice.byte();
        }
        _ => {}
    }
    frame
}

fn typed(dice: &mut Dice, frame: &mut Vec<u8>) {
    match dice.roll(16) {
        0..=5 => {
            frame.extend([0x08, 0x00]);
            ip(dice, frame);
        }
        6..=8 => {
            frame.extend([0x86, 0xdd]);
            ip6(dice, frame);
        }
        9 | 10 => {
            frame.extend(dice.pick(&[[0x08, 0x06], [0x80, 0x35]]));
            arp(dice, frame);
        }
        11..=13 => llc(dice, frame),
        _ => {
            let kinds = [
                0x88cc_u16, 0x8809, 0x888e, 0x8863, 0x809b, 0x80f3, 0x8137, 0x6003, 0x6004, 0x9000,
            ];
            frame.extend(dice.pick(&kinds).to_be_bytes());
            let length = dice.roll(60);
            frame.extend(dice.bytes(length));
        }
    }
}

fn labelled(dice: &mut Dice, frame: &mut Vec<u8>) {
    frame.extend([0x88, 0x47]);
    let count = 1 + dice.roll(3);
    for index in 1..=count {
        let label = dice.pick(&[16_u32, 100, 1000]);
        let bottom = u32::from(index == count) << 8;
        frame.extend((label << 12 | bottom | 64).to_be_bytes());
    }
    if dice.roll(3) == 0 {
        ip6(dice, frame);
    } else {
        ip(dice, frame);
    }
}

fn session(dice: &mut Dice, frame: &mut Vec<u8>) {
    frame.extend([0x88, 0x64, 0x11, 0, 0]);
    frame.push(dice.pick(&[7, 8]));
    frame.extend([0, 40]);
    match dice.roll(6) {
        0 => {
            frame.extend([0x00, 0x57]);
            ip6(dice, frame);
        }
        1 => {
            frame.extend([0xc0, 0x21]);
            frame.extend(dice.bytes(20));
        }
        2 => {
            frame.extend([0x02, 0x81, 0, 0x06, 0x41, 64]);
            ip(dice, frame);
        }
        3 => {
            frame.extend([0x00, 0x23, 0x83, 27, 1, 0]);
            frame.push(dice.pick(&[15, 17, 18, 20, 26]));
            frame.extend(dice.bytes(20));
        }
        _ => {
            frame.extend([0x00, 0x21]);
            ip(dice, frame);
        }
    }
}

fn ip(dice: &mut Dice, frame: &mut Vec<u8>) {
    let words = dice.pick(&[5_u8, 5, 5, 6, 8, 15, 0]);
    let transport = dice.pick(&TRANSPORTS);
    let fragment = dice.pick(&[0_u16, 0, 0, 0x4000, 0x2000, 0x2003, 0x0003]);
    frame.push(0x40 | words);
    frame.push(dice.pick(&[0, 0xc0]));
    frame.extend(dice.pick(&[40_u16, 84, 1500]).to_be_bytes());
    frame.extend(dice.bytes(2));
    frame.extend(fragment.to_be_bytes());
    frame.push(dice.pick(&[1, 64, 255]));
    frame.push(transport);
    frame.extend(dice.bytes(2));
    frame.extend(dice.pick(&ADDRESSES));
    frame.extend(dice.pick(&ADDRESSES));
    frame.extend(dice.bytes(usize::from(words).saturating_sub(5) * 4));
    inside(dice, transport, frame);
}

fn ip6(dice: &mut Dice, frame: &mut Vec<u8>) {
    let next = dice.pick(&TRANSPORTS_6);
    frame.extend([0x60, 0, 0, 0, 0, 40, next, 64]);
    for _ in 0..2 {
        let last = dice.pick(&[1, 2, 5]);
        match dice.roll(4) {
            0 => frame.extend([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            1 => frame.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            _ => frame.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        }
        frame.push(last);
    }
    if next == 44 {
        let behind = dice.pick(&[6, 17, 58]);
        frame.extend([behind, 0, 0, dice.pick(&[0, 1]), 0, 0, 0, 1]);
        inside(dice, behind, frame);
    } else {
        inside(dice, next, frame);
    }
}

fn inside(dice: &mut Dice, transport: u8, frame: &mut Vec<u8>) {
    match transport {
        6 => {
            frame.extend(dice.pick(&PORTS).to_be_bytes());
            frame.extend(dice.pick(&PORTS).to_be_bytes());
            frame.extend(dice.bytes(8));
            frame.push(dice.pick(&[0x50, 0x60, 0x80]));
            frame.push(dice.pick(&[0x02, 0x12, 0x10, 0x18, 0x11, 0x04]));
            frame.extend(dice.bytes(6));
            frame.extend(*b"GET / HTTP/1.1");
        }
        17 | 132 => {
            frame.extend(dice.pick(&PORTS).to_be_bytes());
            frame.extend(dice.pick(&PORTS).to_be_bytes());
            frame.extend(dice.bytes(12));
        }
        1 => frame.extend([dice.pick(&[0, 3, 8, 11]), dice.pick(&[0, 1]), 0, 0, 0, 1]),
        58 => frame.extend([dice.pick(&[1, 128, 129, 134, 135]), 0, 0, 0, 0, 1]),
        _ => {
            let length = dice.roll(40);
            frame.extend(dice.bytes(length));
        }
    }
}

fn arp(dice: &mut Dice, frame: &mut Vec<u8>) {
    frame.extend([0, 1, 8, 0, 6, 4, 0]);
    frame.push(dice.pick(&[1, 2]));
    frame.extend(dice.pick(&MACS));
    frame.extend(dice.pick(&ADDRESSES));
    frame.extend([0; 6]);
    frame.extend(dice.pick(&ADDRESSES));
}

fn llc(dice: &mut Dice, frame: &mut Vec<u8>) {
    frame.extend(dice.pick(&[38_u16, 46, 1497, 1500, 1501]).to_be_bytes());
    match dice.roll(8) {
        0 => frame.extend([0x42, 0x42, 0x03, 0, 0]),
        1..=3 => {
            let protocol = dice.pick(&[0x83, 0x83, 0x83, 0x81, 0x82]);
            frame.extend([0xfe, 0xfe, 0x03, protocol, 27, 1, 0]);
            frame.push(dice.pick(&[15, 16, 17, 18, 20, 24, 25, 26, 27]));
        }
        4 => frame.extend([0xf0, 0xf0, 0x03]),
        5 => frame.extend(dice.pick(&[[0xe0, 0xe0, 0x03], [0xff, 0xff, 0x00], [0x06, 0x06, 0x03]])),
        _ => {
            frame.extend([0xaa, 0xaa, 0x03]);
            frame.extend(dice.pick(&[[0, 0, 0], [8, 0, 7], [0, 0, 0x0c]]));
            frame.extend(
                dice.pick(&[0x8137_u16, 0x809b, 0x80f3, 0x2000])
                    .to_be_bytes(),
            );
        }
    }
    let length = dice.roll(40);
    frame.extend(dice.bytes(length));
}
