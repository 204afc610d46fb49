//! An RTSP server on loopback that can be killed and started again on the same port.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::thread::JoinHandle;

use gst::glib;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPFilterResult, RTSPMediaFactory, RTSPServer};

/// A server that serves `/live` on its own thread.
pub(crate) struct Server {
    rtsp: RTSPServer,
    main: glib::MainLoop,
    thread: Option<JoinHandle<()>>,
    pub(crate) port: u16,
}

impl Server {
    /// Serves the media of `launch` (its payloader is `name=pay0`); port 0 takes a free one.
    pub(crate) fn start(launch: &str, port: u16) -> Self {
        Self::serve(launch, port, true)
    }

    /// Serves a media of its own to each client, from its first picture on.
    pub(crate) fn start_apart(launch: &str) -> Self {
        Self::serve(launch, 0, false)
    }

    fn serve(launch: &str, port: u16, shared: bool) -> Self {
        sonofuse::ingest::init().expect("GStreamer starts");
        let context = glib::MainContext::new();
        let main = glib::MainLoop::new(Some(&context), false);
        let server = RTSPServer::new();
        server.set_address("127.0.0.1");
        server.set_service(&port.to_string());
        let factory = RTSPMediaFactory::new();
        factory.set_launch(launch);
        factory.set_shared(shared);
        server.mount_points().expect("a server has mount points").add_factory("/live", factory);
        server.attach(Some(&context)).expect("the port is free");
        let port = u16::try_from(server.bound_port()).expect("a bound server has a port");
        let thread = {
            let main = main.clone();
            std::thread::spawn(move || main.run())
        };
        Self { rtsp: server, main, thread: Some(thread), port }
    }

    pub(crate) fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.rtsp.client_filter(Some(&mut |_, _| RTSPFilterResult::Remove));
        self.main.quit();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server's thread ends");
        }
    }
}
