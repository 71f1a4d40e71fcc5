//! A lost device: the centre orders it to destroy what it holds, it does and signs that it did.

use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::enrolment::StreetId;
use crate::identity::{Hash, ReplicaId};

/// The centre's order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WipeOrder {
    /// The street.
    pub street: StreetId,
    /// Which replica.
    pub replica: ReplicaId,
    /// When, milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// Why, for whoever has the device.
    pub reason: String,
}

/// What the device answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WipeReceipt {
    /// The replica that was destroyed.
    pub replica: ReplicaId,
    /// The order that it carried out.
    pub order: Hash,
    /// When, milliseconds since 1970 (UTC), as the device says.
    pub at_ms: u64,
}

/// Bytes with a signature over them (Ed25519, RFC 8032).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Signed {
    bytes: Vec<u8>,
    /// In two halves of 32 bytes.
    signature: ([u8; 32], [u8; 32]),
}

/// An order with the centre's signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedOrder(Signed);

/// A receipt with the device's signature.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedReceipt(Signed);

/// An order or a receipt that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WipeError {
    /// Somebody else signed it, or it cannot be read.
    #[error("the order to wipe, or the receipt for it, is not signed by whom it names")]
    Signature,
    /// It is about another replica or another order.
    #[error("the order to wipe, or the receipt for it, is about another device")]
    Other,
}

impl Signed {
    fn sign<T: Serialize>(value: &T, what: &[u8], key: &SigningKey) -> Self {
        let bytes = postcard::to_stdvec(value).unwrap_or_default();
        let signature = key.sign(&[what, &bytes].concat());
        Self { signature: (*signature.r_bytes(), *signature.s_bytes()), bytes }
    }

    fn open<T: for<'de> Deserialize<'de>>(&self, what: &[u8], by: &ReplicaId) -> Result<T, WipeError> {
        let key = VerifyingKey::from_bytes(&by.0).map_err(|_| WipeError::Signature)?;
        let signature = Signature::from_components(self.signature.0, self.signature.1);
        key.verify(&[what, &self.bytes].concat(), &signature).map_err(|_| WipeError::Signature)?;
        postcard::from_bytes(&self.bytes).map_err(|_| WipeError::Signature)
    }
}

const ORDER: &[u8] = b"wangge wipe order 1";
const RECEIPT: &[u8] = b"wangge wipe receipt 1";

impl WipeOrder {
    /// Signs it with the centre's key.
    pub fn sign(&self, centre: &SigningKey) -> SignedOrder {
        SignedOrder(Signed::sign(self, ORDER, centre))
    }
}

impl SignedOrder {
    /// The order, if the centre gave it to `replica`.
    ///
    /// # Errors
    /// [`WipeError`].
    pub fn open(&self, centre: &ReplicaId, replica: &ReplicaId) -> Result<WipeOrder, WipeError> {
        let order: WipeOrder = self.0.open(ORDER, centre)?;
        if order.replica != *replica || order.street != StreetId::of(centre) {
            return Err(WipeError::Other);
        }
        Ok(order)
    }

    fn hash(&self) -> Hash {
        Hash(*blake3::hash(&self.0.bytes).as_bytes())
    }

    /// The receipt for it, signed with the device's key.
    pub fn receipt(&self, device: &SigningKey, at_ms: u64) -> SignedReceipt {
        let replica = ReplicaId(device.verifying_key().to_bytes());
        let receipt = WipeReceipt { replica, order: self.hash(), at_ms };
        SignedReceipt(Signed::sign(&receipt, RECEIPT, device))
    }
}

impl SignedReceipt {
    /// The receipt, if `replica` signed it for `order`.
    ///
    /// # Errors
    /// [`WipeError`].
    pub fn open(&self, replica: &ReplicaId, order: &SignedOrder) -> Result<WipeReceipt, WipeError> {
        let receipt: WipeReceipt = self.0.open(RECEIPT, replica)?;
        if receipt.replica != *replica || receipt.order != order.hash() {
            return Err(WipeError::Other);
        }
        Ok(receipt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_centre_orders_and_only_the_device_answers() {
        let (centre, device) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let id = |key: &SigningKey| ReplicaId(key.verifying_key().to_bytes());
        let street = StreetId::of(&id(&centre));
        let order = WipeOrder { street, replica: id(&device), at_ms: 5, reason: "丢失".to_owned() };
        let signed = order.sign(&centre);
        assert_eq!(signed.open(&id(&centre), &id(&device)), Ok(order.clone()));
        assert_eq!(signed.open(&id(&centre), &id(&centre)), Err(WipeError::Other));
        assert_eq!(order.sign(&device).open(&id(&centre), &id(&device)), Err(WipeError::Signature));
        let receipt = signed.receipt(&device, 9);
        assert_eq!(receipt.open(&id(&device), &signed).map(|receipt| receipt.at_ms), Ok(9));
        let other = WipeOrder { at_ms: 6, ..order }.sign(&centre);
        assert_eq!(receipt.open(&id(&device), &other), Err(WipeError::Other));
        assert_eq!(receipt.open(&id(&centre), &signed), Err(WipeError::Signature));
    }
}
