//! Who somebody is: an account, its devices, and the certificate that ties them together.
//!
//! Three keys sign one another downwards. The **recovery key** (the account id, from the phrase)
//! names a **management key**; the management key lists the **devices**; each device vouches for
//! its own transport key and name. Nothing here says what an account may do in a channel: that is
//! the control log's.

mod certificate;
mod certified;
mod listing;
mod safety;
mod secrets;

pub use certificate::{AccountEpoch, Certificate, CertificateError, DeviceList, DeviceRecord};
pub use certified::{Certified, Cut};
pub use safety::SafetyNumber;
pub use secrets::{
    DeviceSecrets, IdentityError, NewDevice, create_account, recover_account, recovery_epoch,
};
