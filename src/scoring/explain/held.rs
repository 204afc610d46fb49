//! The last scored map, on its way from the infer thread to whoever explains it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sonofuse_core::calibrate::Logit;
use sonofuse_core::frame::{Frame, FrameError};
use sonofuse_core::layout::ScreenLayout;
use sonofuse_core::preprocess::DualView;
use sonofuse_core::region::Region;

/// A map that was scored: the pixels of its two boxes, and what it came to.
#[derive(Debug)]
pub(in crate::scoring) struct Scored {
    pub(super) exam: u64,
    pub(super) place: u64,
    pub(super) map: u64,
    /// When its picture was captured, ns of the monotonic clock.
    pub(super) captured_ns: u64,
    pub(super) logit: Logit,
    layout: ScreenLayout,
    /// B-mode and elastogram box.
    pixels: [Vec<[u8; 3]>; 2],
}

impl Scored {
    /// Where its memory is.
    #[cfg(test)]
    pub(super) fn pixels_at(&self) -> usize {
        self.pixels[0].as_ptr().addr()
    }

    /// The two boxes as a picture of their own, one above the other, with the layout that makes the network's
    /// input of it, bit for bit as of the whole picture.
    pub(super) fn picture(&self) -> Result<(Frame, ScreenLayout), FrameError> {
        let boxes = [self.layout.bmode_box, self.layout.elastogram_box];
        let width = boxes.map(|b| b.width()).into_iter().max().unwrap_or(1);
        let height: u32 = boxes.map(|b| b.height()).iter().sum();
        let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
        for (pixels, place) in self.pixels.iter().zip(&boxes) {
            for row in pixels.chunks_exact(place.width().max(1) as usize) {
                rgb.extend_from_slice(row.as_flattened());
                rgb.resize(rgb.len() + (width - place.width()) as usize * 3, 0);
            }
        }
        let frame = Frame::from_rgb(width, height, rgb)?;
        let at = |y: u32, r: &Region| Region::new(0, y, r.width(), y + r.height()).unwrap_or(*r);
        let layout = ScreenLayout {
            bmode_box: at(0, &boxes[0]),
            elastogram_box: at(boxes[0].height(), &boxes[1]),
            ..self.layout
        };
        Ok((frame, layout))
    }
}

/// Until when an explanation holds: not beyond the patient, the source, the pins.
#[derive(Clone, Debug)]
pub struct Epoch {
    began: u64,
    now: Arc<AtomicU64>,
}

impl Epoch {
    /// Tells whether it still is the same.
    pub fn holds(&self) -> bool {
        self.now.load(Ordering::Acquire) == self.began
    }
}

/// Where the infer thread leaves the last scored map. Any thread; nobody waits for more than a pointer.
#[derive(Debug, Default)]
pub struct LastMap {
    current: Mutex<Option<Arc<Scored>>>,
    epoch: Arc<AtomicU64>,
}

impl LastMap {
    /// A panic elsewhere leaves a whole pointer, so a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Scored>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The map, if there is one.
    pub(super) fn get(&self) -> Option<(Arc<Scored>, Epoch)> {
        let current = self.lock();
        let scored = Arc::clone(current.as_ref()?);
        let now = Arc::clone(&self.epoch);
        Some((scored, Epoch { began: now.load(Ordering::Acquire), now }))
    }
}

/// The infer thread's end.
#[derive(Debug)]
pub(in crate::scoring) struct Handing {
    to: Arc<LastMap>,
    /// The map before, for its memory.
    spare: Option<Arc<Scored>>,
    maps: u64,
}

impl Handing {
    pub(in crate::scoring) fn new(to: Arc<LastMap>) -> Self {
        Self { to, spare: None, maps: 0 }
    }

    /// Takes a map that was scored. Allocates only while the boxes grow, or where the one before is being
    /// explained.
    pub(in crate::scoring) fn keep(
        &mut self,
        view: &DualView<'_>,
        [exam, place]: [u64; 2],
        logit: Logit,
    ) {
        self.maps += 1;
        let (frame, layout) = (view.frame(), *view.layout());
        let mut pixels =
            self.spare.take().and_then(Arc::into_inner).map_or_else(Default::default, |s| s.pixels);
        for (pixels, place) in pixels.iter_mut().zip([layout.bmode_box, layout.elastogram_box]) {
            frame.rgb_region(&place, pixels);
        }
        let captured_ns = frame.meta().captured_ns;
        let scored = Scored { exam, place, map: self.maps, captured_ns, logit, layout, pixels };
        self.spare = self.to.lock().replace(Arc::new(scored));
    }

    /// Forgets it: another patient, another source.
    pub(in crate::scoring) fn clear(&mut self) {
        let mut current = self.to.lock();
        self.to.epoch.fetch_add(1, Ordering::AcqRel);
        if let Some(scored) = current.take() {
            self.spare = Some(scored);
        }
    }
}
