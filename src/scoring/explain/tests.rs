use sonofuse_core::calibrate::Logit;
use sonofuse_core::explain::{CAVEAT, View};
use sonofuse_core::frame::{Frame, FrameFormat, FrameMeta, PixelFormat};
use sonofuse_core::layout::{Finder, ScreenLayout};
use sonofuse_core::preprocess::{DualView, Preprocessor};
use sonofuse_sim::{SimConfig, Simulator, Skin};

use super::super::tests::shipped;
use super::super::{Backend, load};
use super::*;

/// A simulated screen with its views, and the logit and the digest that the shipped model has for it.
struct Scene {
    frame: Frame,
    layout: ScreenLayout,
    logit: Logit,
    digest: String,
}

fn scene(skin: Skin) -> Scene {
    let (width, height) = (1280, 960);
    let config = SimConfig { seed: 7, skin, width, height, fps: 1.0, exam_s: 20.0 };
    let mut simulator = Simulator::new(config).unwrap();
    let mut model = load(&shipped(), Backend::Cpu).unwrap();
    let digest = model.info().digest.clone();
    for i in 0..20 {
        let mut pixels = vec![0; (width * height * 4) as usize];
        simulator.render(i, &mut pixels, width as usize * 4);
        let format = FrameFormat::packed(PixelFormat::Bgrx, width, height);
        let frame = Frame::new(format, FrameMeta::default(), pixels.into()).unwrap();
        let Ok(layout) = Finder::new().find(&frame) else { continue };
        let view = DualView::new(&frame, &layout).unwrap();
        let mut preprocessor = Preprocessor::new(model.manifest().input.clone());
        let logit = model.score(preprocessor.run(&view).unwrap()).unwrap().logit;
        return Scene { frame, layout, logit, digest };
    }
    panic!("no dual view on {skin}")
}

impl Scene {
    fn hand(&self, logit: Logit) -> (Handing, Arc<LastMap>) {
        let last: Arc<LastMap> = Arc::default();
        let mut handing = Handing::new(Arc::clone(&last));
        handing.keep(&DualView::new(&self.frame, &self.layout).unwrap(), [3, 9], logit);
        (handing, last)
    }
}

#[test]
fn the_explaining_run_comes_to_the_score_and_says_how_much_each_view_counted() {
    for skin in [Skin::AixplorerStacked, Skin::GeSweSide] {
        let scene = scene(skin);
        let (_handing, last) = scene.hand(scene.logit);
        let (scored, epoch) = last.get().unwrap();
        let mut engine = Engine::load(&shipped(), &scene.digest).unwrap();
        let looked = engine.explain(&scored).unwrap();
        let said = &looked.explained;
        assert!((said.logit_again - said.logit).abs() < 1e-3, "{said:?}");
        assert_eq!([said.exam, said.place, said.map], [3, 9, 1]);
        assert_eq!(said.caveat, CAVEAT);
        let views: Vec<_> = said.attention.iter().map(|a| a.views.as_slice()).collect();
        assert_eq!(views, [[View::BMode], [View::Elastogram]]);
        let share: f32 = said.attention.iter().filter_map(|a| a.share).sum();
        assert!((share - 1.0).abs() < 1e-4, "{said:?}");
        for a in &said.attention {
            assert!(a.half_on.is_none_or(|half| half > 0.0 && half <= 0.5), "{a:?}");
        }
        for picture in &looked.pictures {
            let pixels = picture.width * picture.height;
            assert_eq!([picture.grey.len(), picture.warm.len()], [pixels; 2]);
            assert!(picture.width.max(picture.height) <= 256);
        }
        assert!(looked.pictures.iter().any(|p| p.warm.contains(&255)), "one place is the hottest");
        assert!(epoch.holds());
    }
}

#[test]
fn a_score_that_the_explaining_run_does_not_come_to_is_not_explained() {
    let scene = scene(Skin::AixplorerStacked);
    let wrong = Logit::new(scene.logit.get() + 1.5).unwrap();
    let (_handing, last) = scene.hand(wrong);
    let (scored, _) = last.get().unwrap();
    let error = Engine::load(&shipped(), &scene.digest).unwrap().explain(&scored).unwrap_err();
    assert!(error.contains("it cannot tell why"), "{error}");
    let other = Engine::load(&shipped(), "another").err().unwrap();
    assert!(other.contains("another model by now"), "{other}");
}

#[test]
fn maps_are_handed_over_in_the_same_memory_and_forgotten_with_the_patient() {
    let scene = scene(Skin::AixplorerStacked);
    let (mut handing, last) = scene.hand(scene.logit);
    let view = DualView::new(&scene.frame, &scene.layout).unwrap();
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..6 {
        handing.keep(&view, [3, 9], scene.logit);
        places.insert(last.get().unwrap().0.pixels_at());
    }
    assert_eq!(places.len(), 2, "one is written while the other is there");
    // What is being explained is left alone.
    let (held, epoch) = last.get().unwrap();
    for _ in 0..3 {
        handing.keep(&view, [3, 10], scene.logit);
    }
    assert_eq!((held.place, last.get().unwrap().0.place), (9, 10));
    handing.clear();
    assert!(last.get().is_none() && !epoch.holds());
}

#[tokio::test]
async fn one_is_explained_at_a_time_and_without_a_map_there_is_nothing() {
    let scene = scene(Skin::AixplorerStacked);
    let last: Arc<LastMap> = Arc::default();
    let explainer = Explainer::start(shipped(), scene.digest.clone(), Arc::clone(&last)).unwrap();
    let refused = explainer.explain().await.unwrap_err();
    assert_eq!(refused.kind, RefusedKind::NothingThere);
    let mut handing = Handing::new(Arc::clone(&last));
    let view = DualView::new(&scene.frame, &scene.layout).unwrap();
    handing.keep(&view, [1, 1], scene.logit);
    let first = explainer.clone();
    // Both asks are there before the thread has loaded the network.
    let (first, second) = tokio::join!(first.explain(), explainer.explain());
    assert!(first.is_ok(), "{first:?}");
    assert_eq!(second.unwrap_err().kind, RefusedKind::Busy);
    assert!(explainer.explain().await.is_ok(), "and then the next");
}

/// `cargo test … explain_cost -- --ignored --nocapture` says what handing over and explaining cost.
#[test]
#[ignore = "a measurement"]
fn explain_cost() {
    let scene = scene(Skin::AixplorerStacked);
    let (mut handing, last) = scene.hand(scene.logit);
    let view = DualView::new(&scene.frame, &scene.layout).unwrap();
    let mut least = [f64::MAX; 2];
    for _ in 0..50 {
        let begun = std::time::Instant::now();
        handing.keep(&view, [1, 1], scene.logit);
        least[0] = least[0].min(begun.elapsed().as_secs_f64() * 1e3);
    }
    let mut engine = Engine::load(&shipped(), &scene.digest).unwrap();
    for _ in 0..20 {
        let (scored, _) = last.get().unwrap();
        let begun = std::time::Instant::now();
        engine.explain(&scored).unwrap();
        least[1] = least[1].min(begun.elapsed().as_secs_f64() * 1e3);
    }
    let boxes = [scene.layout.bmode_box, scene.layout.elastogram_box];
    println!("boxes {boxes:?}: handed over in {:.2} ms, explained in {:.1} ms", least[0], least[1]);
}
