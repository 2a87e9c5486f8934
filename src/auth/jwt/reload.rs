//! Replaces keys while the server runs. Unusable new keys never replace usable keys.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::jwks::KeySet;
use super::jwks_url::JwksSource;
use super::keys::JwtKeys;
use super::secret::{Secret, Secrets};
use super::watched_file::WatchedFile;

impl JwtKeys {
    /// Asks the job that keeps the keys current to read all of them again, as on SIGHUP.
    pub fn request_reload(&self) {
        self.is_reload_requested.store(true, Ordering::Relaxed);
    }

    /// Returns whether [`JwtKeys::request_reload`] was called since the last call.
    pub fn take_reload_request(&self) -> bool {
        self.is_reload_requested.swap(false, Ordering::Relaxed)
    }

    /// Returns whether a token named an unknown key since the last call.
    pub fn take_missing_key(&self) -> bool {
        self.is_key_missing.swap(false, Ordering::Relaxed)
    }

    /// Returns the interval between downloads of the set. `None` without an address.
    pub fn refresh_interval(&self) -> Option<Duration> {
        self.jwks_url.as_ref().map(|source| source.refresh)
    }

    /// Returns whether keys come from files.
    pub fn has_files(&self) -> bool {
        self.secret_file.is_some() || self.jwks_file.is_some()
    }

    /// Reads the files of keys that have changed, or `all` files. Blocks.
    pub fn reload_files(&self, all: bool) {
        let reload = |file: &Option<WatchedFile>,
                      replace: fn(&Self, &str) -> Result<(), String>| {
            let Some(file) = file else { return };
            let replaced = match file.read_if_changed(all) {
                None => return,
                Some(Ok(text)) => replace(self, &text),
                Some(Err(error)) => Err(error.to_string()),
            };
            if let Some(problem) = file.note(replaced) {
                let path = &file.path;
                log::warn!("cannot use {path:?} as it is now, its last keys stay valid: {problem}");
            }
        };
        reload(&self.secret_file, Self::replace_secrets);
        reload(&self.jwks_file, Self::replace_set);
    }

    /// Downloads the set of keys.
    ///
    /// # Errors
    ///
    /// The reason, in one line. The last keys stay valid.
    pub async fn download_set(&self) -> Result<(), String> {
        let Some(JwksSource { url, .. }) = &self.jwks_url else {
            return Ok(());
        };
        let replaced = match url.download().await {
            Ok(text) => self.replace_set(&text),
            Err(problem) => Err(problem),
        };
        replaced.map_err(|problem| format!("{url}: {problem}"))
    }

    fn replace_secrets(&self, text: &str) -> Result<(), String> {
        let secrets = Secret::parse_lines(text)?;
        if self.secrets.load().texts != secrets {
            log::info!("JWT secrets read, {} in use", secrets.len());
            self.secrets.store(Arc::new(Secrets::new(secrets)));
        }
        Ok(())
    }

    fn replace_set(&self, text: &str) -> Result<(), String> {
        // The same text would log its left out keys again.
        if self.public_keys.load().text == text {
            return Ok(());
        }
        let set = KeySet::parse(text).map_err(|problems| problems.join("; "))?;
        set.log_left_out();
        log::info!("JWK set read, {} keys in use", set.keys.len());
        self.public_keys.store(Arc::new(set));
        Ok(())
    }
}
