//! Memory for frames that have to wait, in blocks of four sizes, bounded in total.
//!
//! Blocks are taken from the system a slab at a time and never given back while the pool lives:
//! a link that needed them once will need them again. The bound is on what frames hold, so a wire
//! under a flood uses that much and no more.

/// Bytes of a block in each class: short control frames, full frames of 1500 bytes with room for
/// tags, jumbo frames, and the largest datagram.
const CLASSES: [usize; 4] = [256, 2048, 9216, 65_536];

/// Bytes taken from the system at a time.
const SLAB_BYTES: usize = 1 << 20;

/// A frame in the pool. It is used up by [`Pool::free`]; only the pool's owner can lose one.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Held {
    class: u8,
    block: u32,
    length: u32,
}

impl Held {
    /// Length of the frame in bytes.
    pub fn length(self) -> usize {
        self.length as usize
    }
}

/// The pool.
#[derive(Debug)]
pub struct Pool {
    classes: [Class; 4],
    limit_bytes: usize,
    used_bytes: usize,
}

#[derive(Debug, Default)]
struct Class {
    slabs: Vec<Box<[u8]>>,
    free: Vec<u32>,
    blocks: u32,
}

impl Pool {
    /// A pool whose frames hold at most `limit_bytes`, counted in whole blocks.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            classes: Default::default(),
            limit_bytes,
            used_bytes: 0,
        }
    }

    /// Bytes of the blocks in use.
    pub fn used_bytes(&self) -> usize {
        self.used_bytes
    }

    /// The bound on them.
    pub fn limit_bytes(&self) -> usize {
        self.limit_bytes
    }

    /// Sets another bound; frames that are held beyond it stay.
    pub fn bound(&mut self, limit_bytes: usize) {
        self.limit_bytes = limit_bytes;
    }

    /// Whether a frame of some length can be held now.
    pub fn has_room(&self, length: usize) -> bool {
        let block = CLASSES.iter().find(|bytes| length <= **bytes);
        block.is_some_and(|bytes| self.used_bytes + bytes <= self.limit_bytes)
    }

    /// Copies a frame into the pool; `None` when the bound is reached or no block is so large.
    pub fn hold(&mut self, frame: &[u8]) -> Option<Held> {
        let class = CLASSES.iter().position(|bytes| frame.len() <= *bytes)?;
        let bytes = CLASSES[class];
        if self.used_bytes + bytes > self.limit_bytes {
            return None;
        }
        let block = self.classes[class].take(bytes)?;
        self.used_bytes += bytes;
        let held = Held {
            class: class as u8,
            block,
            length: frame.len() as u32,
        };
        self.bytes_mut(held).copy_from_slice(frame);
        Some(held)
    }

    /// A frame's bytes.
    pub fn bytes(&self, held: Held) -> &[u8] {
        let (slab, start) = place(held);
        &self.classes[usize::from(held.class)].slabs[slab][start..start + held.length()]
    }

    fn bytes_mut(&mut self, held: Held) -> &mut [u8] {
        let (slab, start) = place(held);
        &mut self.classes[usize::from(held.class)].slabs[slab][start..start + held.length()]
    }

    /// Gives a block back. Each frame is freed once.
    pub fn free(&mut self, held: Held) {
        let class = usize::from(held.class);
        self.used_bytes -= CLASSES[class];
        self.classes[class].free.push(held.block);
    }
}

impl Class {
    fn take(&mut self, bytes: usize) -> Option<u32> {
        if let Some(block) = self.free.pop() {
            return Some(block);
        }
        let per_slab = (SLAB_BYTES / bytes) as u32;
        if self.blocks.is_multiple_of(per_slab) {
            self.slabs
                .push(vec![0; per_slab as usize * bytes].into_boxed_slice());
        }
        let block = self.blocks;
        self.blocks = self.blocks.checked_add(1)?;
        Some(block)
    }
}

fn place(held: Held) -> (usize, usize) {
    let bytes = CLASSES[usize::from(held.class)];
    let per_slab = SLAB_BYTES / bytes;
    let block = held.block as usize;
    (block / per_slab, block % per_slab * bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_keep_their_bytes_beside_others() {
        let mut pool = Pool::new(usize::MAX);
        let frames: Vec<Vec<u8>> = (0..3000_usize)
            .map(|index| vec![index as u8; index % 700 * 13 + 1])
            .collect();
        let held: Vec<Held> = frames
            .iter()
            .map(|frame| pool.hold(frame).unwrap())
            .collect();
        for (frame, held) in frames.iter().zip(&held) {
            assert_eq!(pool.bytes(*held), frame);
        }
        held.into_iter().for_each(|held| pool.free(held));
        assert_eq!(pool.used_bytes(), 0);
    }

    #[test]
    fn a_freed_block_is_used_again() {
        let mut pool = Pool::new(2048);
        for round in 0..10_000_u32 {
            let held = pool.hold(&round.to_ne_bytes().repeat(300)).unwrap();
            assert_eq!(pool.hold(&[0; 300]), None, "the bound holds");
            pool.free(held);
        }
        assert_eq!(pool.classes[1].slabs.len(), 1);
    }

    #[test]
    fn what_is_larger_than_any_datagram_finds_no_place() {
        let mut pool = Pool::new(usize::MAX);
        assert!(pool.hold(&vec![0; 65_536]).is_some());
        assert_eq!(pool.hold(&vec![0; 65_537]), None);
        assert!(pool.hold(&[]).is_some());
    }
}
