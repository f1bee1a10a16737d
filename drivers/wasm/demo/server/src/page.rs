//! The built page: read once at start, so that no request names a file.

use std::{collections::HashMap, fs, io, path::Path};

use axum::{
    extract::State,
    http::{
        StatusCode, Uri,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};

use crate::App;

/// What the board needs and no more. The outbox is WebAssembly, which a policy must allow by name.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' data:; \
                      style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// The page's files by their path.
pub struct Page(HashMap<String, Vec<u8>>);

impl Page {
    /// Reads a folder, with all that is in it.
    ///
    /// # Errors
    /// The folder's, with its name; or there is no `index.html` in it.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = HashMap::new();
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
        read_into(&mut files, folder, "").map_err(told)?;
        if !files.contains_key("/index.html") {
            return Err(told(io::Error::new(
                io::ErrorKind::NotFound,
                "no index.html: build the board first",
            )));
        }
        Ok(Self(files))
    }
}

fn read_into(files: &mut HashMap<String, Vec<u8>>, folder: &Path, above: &str) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{above}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_into(files, &entry.path(), &path)?;
        } else {
            files.insert(path, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// Any other address: a file of the page, or 404.
pub(crate) async fn file(State(app): State<App>, uri: Uri) -> Response {
    let path = if uri.path() == "/" { "/index.html" } else { uri.path() };
    let Some(bytes) = app.page.0.get(path) else {
        return (StatusCode::NOT_FOUND, "there is no such file").into_response();
    };
    // Names under /assets/ hold a hash of what is in them; all else is asked for again.
    let keep = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(CONTENT_TYPE, kind(path)), (CACHE_CONTROL, keep), (CONTENT_SECURITY_POLICY, POLICY)];
    (headers, bytes.clone()).into_response()
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        Some("webmanifest") => "application/manifest+json",
        _ => "application/octet-stream",
    }
}
