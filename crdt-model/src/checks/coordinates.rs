//! Longitude and latitude (经度, 纬度) of a place in China, in degrees.
//!
//! Source: WGS-84 / CGCS2000; the two differ by centimetres and are not told apart here.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longitudes of China: the Pamirs to the mouth of the Ussuri.
const CHINA_LONGITUDE: std::ops::RangeInclusive<f64> = 73.0..=135.5;

/// Latitudes of China: the James Shoal to the Amur.
const CHINA_LATITUDE: std::ops::RangeInclusive<f64> = 3.0..=54.0;

/// A position inside the rectangle around China.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}

/// Why two numbers are not a position in China.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum CoordinatesError {
    /// No place on Earth: latitude beyond 90, longitude beyond 180, or not a number.
    #[error("no place on Earth has longitude {longitude} and latitude {latitude}")]
    OutOfRange {
        /// What stood for the longitude.
        longitude: f64,
        /// What stood for the latitude.
        latitude: f64,
        /// Whether the two make sense the other way round.
        swapped: bool,
    },
    /// A place on Earth, but not in China.
    #[error("longitude {longitude}, latitude {latitude} is not in China")]
    OutsideChina {
        /// What stood for the longitude.
        longitude: f64,
        /// What stood for the latitude.
        latitude: f64,
        /// Whether the two make sense the other way round.
        swapped: bool,
    },
}

impl CoordinatesError {
    /// The stable code of this refusal.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "coordinates-out-of-range",
            Self::OutsideChina { .. } => "coordinates-outside-china",
        }
    }

    /// Whether exchanging the two numbers would give a position in China.
    #[must_use]
    pub fn swapped(&self) -> bool {
        let (Self::OutOfRange { swapped, .. } | Self::OutsideChina { swapped, .. }) = self;
        *swapped
    }
}

impl Coordinates {
    /// A position in China.
    pub fn new(longitude: f64, latitude: f64) -> Result<Self, CoordinatesError> {
        if in_china(longitude, latitude) {
            return Ok(Self { longitude, latitude });
        }
        let swapped = in_china(latitude, longitude);
        // Written so that a NaN is out of range as well.
        if (-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude) {
            Err(CoordinatesError::OutsideChina { longitude, latitude, swapped })
        } else {
            Err(CoordinatesError::OutOfRange { longitude, latitude, swapped })
        }
    }
}

fn in_china(longitude: f64, latitude: f64) -> bool {
    CHINA_LONGITUDE.contains(&longitude) && CHINA_LATITUDE.contains(&latitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(longitude: f64, latitude: f64, code: &str, swapped: bool) {
        let error = Coordinates::new(longitude, latitude).unwrap_err();
        assert_eq!((error.code(), error.swapped()), (code, swapped), "{longitude}, {latitude}");
    }

    #[test]
    fn places_in_china_are_accepted() {
        for (longitude, latitude) in [(118.57, 28.79), (87.6, 43.8), (116.4, 39.9), (110.3, 20.0)] {
            let place = Coordinates::new(longitude, latitude).unwrap();
            assert_eq!((place.longitude, place.latitude), (longitude, latitude));
        }
    }

    #[test]
    fn values_no_place_has_are_out_of_range() {
        check(28.7, 218.5, "coordinates-out-of-range", false);
        check(218.5, 28.7, "coordinates-out-of-range", false);
        check(f64::NAN, 28.7, "coordinates-out-of-range", false);
        check(118.5, f64::INFINITY, "coordinates-out-of-range", false);
    }

    #[test]
    fn swapped_values_are_recognised() {
        check(28.79, 118.57, "coordinates-out-of-range", true);
        check(43.8, 87.6, "coordinates-outside-china", true);
    }

    #[test]
    fn places_elsewhere_are_not_plausible() {
        check(0.0, 0.0, "coordinates-outside-china", false);
        check(2.35, 48.85, "coordinates-outside-china", false);
        check(-118.57, 28.79, "coordinates-outside-china", false);
    }
}
