//! Boundaries (网格边界): polygons in WGS-84 or CGCS2000, read from GeoJSON (RFC 7946), and which unit a position
//! lies in.

use geojson::{GeoJson, GeometryValue};

use crate::checks::Coordinates;

/// Most points of one boundary.
pub const POINTS_MAX: usize = 20_000;
/// Longest piece of a boundary in its stored form, in bytes: a value takes 16 KiB.
pub const PIECE_LEN_BYTES_MAX: usize = 12 * 1024;

/// Rings of longitude and latitude in degrees, each closed; a point inside an odd number of them is inside.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Boundary {
    rings: Vec<Vec<(f64, f64)>>,
}

/// The coordinate systems that are stored. They differ by centimetres.
pub const DATUMS: [&str; 2] = ["WGS-84", "CGCS2000"];

/// A file that is no boundary.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say what each is")]
pub enum BoundaryError {
    #[error("文件不是 GeoJSON,读不懂,请从地图软件重新导出为 GeoJSON\nthe file is not GeoJSON: {reason}")]
    NotGeoJson { reason: String },
    #[error(
        "第 {ring} 个环自己交叉:第 {first} 条边和第 {second} 条边相交,请按顺序重新描边\nring {ring} crosses itself: its edges {first} and {second} meet"
    )]
    Crossed { ring: usize, first: usize, second: usize },
    #[error(
        "GeoJSON 里没有面(Polygon 或 MultiPolygon),找到的是 {found}\nthe file has no Polygon or MultiPolygon; it has {found}"
    )]
    NoPolygon { found: String },
    #[error("第 {ring} 个环有 {points} 个点,至少要 4 个\nring {ring} has {points} points; 4 are the least")]
    TooFew { ring: usize, points: usize },
    #[error(
        "第 {ring} 个环没有闭合:末点应与起点相同\nring {ring} is not closed: its last point must be its first"
    )]
    Open { ring: usize },
    #[error(
        "第 {ring} 个环的点 ({longitude}, {latitude}) 不在中国境内;坐标应为 经度,纬度\nthe point ({longitude}, {latitude}) of ring {ring} is not in China; the order is longitude, latitude"
    )]
    Outside { ring: usize, longitude: f64, latitude: f64 },
    #[error(
        "边界有 {points} 个点,上限 {POINTS_MAX} 个,请简化\nthe boundary has {points} points; at most {POINTS_MAX} are taken"
    )]
    TooMany { points: usize },
    #[error(
        "坐标系 {found} 不能用,请先转换为 WGS-84 或 CGCS2000\nthe coordinate system {found} is not taken: convert to WGS-84 or CGCS2000"
    )]
    Datum { found: String },
}

impl BoundaryError {
    /// For programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotGeoJson { .. } => "not-geojson",
            Self::NoPolygon { .. } => "no-polygon",
            Self::Datum { .. } => "datum",
            _ => "boundary-unsound",
        }
    }
}

/// The datum that is meant, in its normal form.
///
/// # Errors
/// [`BoundaryError::Datum`] for any other: GCJ-02 and the like never mix with these.
pub fn datum(typed: &str) -> Result<&'static str, BoundaryError> {
    let plain: String = typed.to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.as_str() {
        "WGS84" | "CRS84" | "EPSG4326" | "URNOGCDEFCRSOGC13CRS84" | "URNOGCDEFCRSEPSG4326" => Ok(DATUMS[0]),
        "CGCS2000" | "EPSG4490" | "URNOGCDEFCRSEPSG4490" => Ok(DATUMS[1]),
        _ => Err(BoundaryError::Datum { found: typed.chars().take(60).collect() }),
    }
}

impl Boundary {
    /// Reads a GeoJSON text: the polygons in it, and the datum that it states in `crs`, if it does.
    ///
    /// # Errors
    /// [`BoundaryError`].
    pub fn from_geojson(text: &str) -> Result<(Self, Option<&'static str>), BoundaryError> {
        let not = |reason: String| BoundaryError::NotGeoJson { reason: reason.chars().take(200).collect() };
        let plain = text.trim_start_matches('\u{feff}');
        let json: serde_json::Value = serde_json::from_str(plain).map_err(|e| not(e.to_string()))?;
        let stated = json.pointer("/crs/properties/name").and_then(serde_json::Value::as_str);
        let stated = stated.map(datum).transpose()?;
        let geojson: GeoJson = plain.parse().map_err(|e: geojson::Error| not(e.to_string()))?;
        let mut boundary = Self::default();
        let mut others = Vec::new();
        match &geojson {
            GeoJson::Geometry(geometry) => boundary.take(&geometry.value, &mut others),
            GeoJson::Feature(feature) => {
                feature.geometry.iter().for_each(|g| boundary.take(&g.value, &mut others));
            }
            GeoJson::FeatureCollection(collection) => {
                let geometries = collection.features.iter().filter_map(|f| f.geometry.as_ref());
                geometries.for_each(|g| boundary.take(&g.value, &mut others));
            }
        }
        if boundary.rings.is_empty() {
            let found = if others.is_empty() { "-".to_owned() } else { others.join(", ") };
            return Err(BoundaryError::NoPolygon { found });
        }
        boundary.check()?;
        for (at, ring) in boundary.rings.iter().enumerate() {
            if let Some((first, second)) = crossing(ring) {
                return Err(BoundaryError::Crossed { ring: at + 1, first: first + 1, second: second + 1 });
            }
        }
        Ok((boundary, stated))
    }

    fn take(&mut self, value: &GeometryValue, others: &mut Vec<String>) {
        match value {
            GeometryValue::Polygon { coordinates } => self.take_rings(coordinates),
            GeometryValue::MultiPolygon { coordinates } => {
                coordinates.iter().for_each(|polygon| self.take_rings(polygon));
            }
            GeometryValue::GeometryCollection { geometries } => {
                geometries.iter().for_each(|geometry| self.take(&geometry.value, others));
            }
            other if others.len() < 5 => others.push(other.type_name().to_owned()),
            _ => {}
        }
    }

    fn take_rings<R: AsRef<[geojson::Position]>>(&mut self, rings: &[R]) {
        for ring in rings {
            let point = |position: &geojson::Position| {
                let position = position.as_slice();
                (position.first().copied().unwrap_or(f64::NAN), position.get(1).copied().unwrap_or(f64::NAN))
            };
            self.rings.push(ring.as_ref().iter().map(point).collect());
        }
    }

    fn check(&self) -> Result<(), BoundaryError> {
        let points = self.rings.iter().map(Vec::len).sum();
        if points > POINTS_MAX {
            return Err(BoundaryError::TooMany { points });
        }
        for (at, ring) in self.rings.iter().enumerate() {
            let number = at + 1;
            if ring.len() < 4 {
                return Err(BoundaryError::TooFew { ring: number, points: ring.len() });
            }
            for (longitude, latitude) in ring {
                if Coordinates::new(*longitude, *latitude).is_err() {
                    let (longitude, latitude) = (*longitude, *latitude);
                    return Err(BoundaryError::Outside { ring: number, longitude, latitude });
                }
            }
            if ring.first() != ring.last() {
                return Err(BoundaryError::Open { ring: number });
            }
        }
        Ok(())
    }

    /// How many points it has.
    pub fn points(&self) -> usize {
        self.rings.iter().map(Vec::len).sum()
    }

    /// Whether the position lies inside.
    pub fn contains(&self, longitude: f64, latitude: f64) -> bool {
        let crosses = |((x1, y1), (x2, y2)): (&(f64, f64), &(f64, f64))| {
            (*y1 > latitude) != (*y2 > latitude) && longitude < (x2 - x1) * (latitude - y1) / (y2 - y1) + x1
        };
        let crossings = |ring: &Vec<(f64, f64)>| ring.iter().zip(&ring[1..]).filter(|e| crosses(*e)).count();
        self.rings.iter().map(crossings).sum::<usize>() % 2 == 1
    }

    /// Its size in square degrees: only to tell the smaller of two that hold the same position.
    pub fn size(&self) -> f64 {
        let area = |ring: &Vec<(f64, f64)>| {
            ring.iter().zip(&ring[1..]).map(|((x1, y1), (x2, y2))| x1 * y2 - x2 * y1).sum::<f64>() / 2.0
        };
        self.rings.iter().map(|ring| area(ring).abs()).sum()
    }

    /// The stored form, in pieces: seven decimals, a centimetre.
    pub fn to_pieces(&self) -> Vec<String> {
        let mut pieces = vec![String::new()];
        for ring in &self.rings {
            for (at, (longitude, latitude)) in ring.iter().enumerate() {
                let end = if at + 1 == ring.len() { "\n" } else { ";" };
                let point = format!("{},{}{end}", decimal(*longitude), decimal(*latitude));
                if pieces.last().is_some_and(|last| last.len() + point.len() > PIECE_LEN_BYTES_MAX) {
                    pieces.push(String::new());
                }
                if let Some(last) = pieces.last_mut() {
                    last.push_str(&point);
                }
            }
        }
        pieces
    }

    /// Reads the stored form back; `None` if it is damaged.
    pub fn of_pieces<'a>(pieces: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let text: String = pieces.into_iter().collect();
        let point = |text: &str| {
            let (longitude, latitude) = text.split_once(',')?;
            Some((longitude.parse().ok()?, latitude.parse().ok()?))
        };
        let ring = |line: &str| line.split(';').map(point).collect::<Option<Vec<(f64, f64)>>>();
        let boundary = Self { rings: text.lines().map(ring).collect::<Option<_>>()? };
        boundary.check().is_ok().then_some(boundary).filter(|boundary| !boundary.rings.is_empty())
    }

    /// As GeoJSON.
    pub fn to_geojson(&self) -> serde_json::Value {
        serde_json::json!({
            "type": "MultiPolygon",
            "coordinates": self.rings.iter().map(|ring| vec![ring]).collect::<Vec<_>>(),
        })
    }
}

/// Two edges of a closed ring that cross each other, by their places. Edges are compared where they share a
/// stretch of longitude.
fn crossing(ring: &[(f64, f64)]) -> Option<(usize, usize)> {
    let edge = |at: usize| Some((*ring.get(at)?, *ring.get(at + 1)?));
    let mut edges: Vec<usize> = (0..ring.len().saturating_sub(1)).collect();
    let west = |at: &usize| edge(*at).map_or(0.0, |(a, b)| a.0.min(b.0));
    edges.sort_by(|a, b| west(a).total_cmp(&west(b)));
    for (place, first) in edges.iter().enumerate() {
        let (a, b) = edge(*first)?;
        let east = a.0.max(b.0);
        for second in edges.iter().skip(place + 1).take_while(|other| west(other) <= east) {
            let (c, d) = edge(*second)?;
            let turn = |p: (f64, f64), q: (f64, f64), r: (f64, f64)| {
                (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0)
            };
            // Edges that touch, as neighbours do, do not cross.
            let apart = |x: f64, y: f64| (x > 0.0 && y < 0.0) || (x < 0.0 && y > 0.0);
            if apart(turn(a, b, c), turn(a, b, d)) && apart(turn(c, d, a), turn(c, d, b)) {
                return Some((*first.min(second), *first.max(second)));
            }
        }
    }
    None
}

fn decimal(degrees: f64) -> String {
    let text = format!("{degrees:.7}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: &str = r#"{"type":"Polygon","coordinates":[
        [[118.5,28.7],[118.6,28.7],[118.6,28.8],[118.5,28.8],[118.5,28.7]],
        [[118.54,28.74],[118.56,28.74],[118.56,28.76],[118.54,28.76],[118.54,28.74]]]}"#;

    #[test]
    fn a_position_is_inside_but_for_the_holes() {
        let (square, datum) = Boundary::from_geojson(SQUARE).expect("a boundary");
        assert_eq!(datum, None);
        for (longitude, latitude, inside) in
            [(118.51, 28.71, true), (118.55, 28.75, false), (118.49, 28.75, false), (118.55, 28.79, true)]
        {
            assert_eq!(square.contains(longitude, latitude), inside, "{longitude} {latitude}");
        }
        let pieces = square.to_pieces();
        assert_eq!(Boundary::of_pieces(pieces.iter().map(String::as_str)), Some(square.clone()));
        let again = square.to_geojson().to_string();
        let (again, _) = Boundary::from_geojson(&again).expect("reads what it writes");
        assert!(again.contains(118.51, 28.71) && !again.contains(118.55, 28.75));
    }

    #[test]
    fn features_are_taken_and_everything_else_is_refused_with_a_reason() {
        let feature = format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"urn:ogc:def:crs:EPSG::4490"}}}},"features":[{{"type":"Feature","properties":{{}},"geometry":{SQUARE}}}]}}"#
        );
        assert_eq!(Boundary::from_geojson(&feature).expect("a boundary").1, Some("CGCS2000"));
        let code = |text: &str| Boundary::from_geojson(text).map(|_| ()).map_err(|e| e.code());
        for (text, expect) in [
            ("", "not-geojson"),
            ("PK\u{3}\u{4}", "not-geojson"),
            ("{}", "not-geojson"),
            (r#"{"type":"Polygon"}"#, "not-geojson"),
            (r#"{"type":"Point","coordinates":[118.5,28.7]}"#, "no-polygon"),
            (r#"{"type":"FeatureCollection","features":[]}"#, "no-polygon"),
            (
                r#"{"type":"Polygon","coordinates":[[[118.5,28.7],[118.6,28.7],[118.5,28.7]]]}"#,
                "boundary-unsound",
            ),
            (
                r#"{"type":"Polygon","coordinates":[[[118.5,28.7],[118.6,28.7],[118.6,28.8],[118.5,28.8]]]}"#,
                "boundary-unsound",
            ),
            (
                r#"{"type":"Polygon","coordinates":[[[28.7,118.5],[28.7,118.6],[28.8,118.6],[28.7,118.5]]]}"#,
                "boundary-unsound",
            ),
            // A bow tie: what is inside would be anybody's guess.
            (
                r#"{"type":"Polygon","coordinates":[[[118.5,28.7],[118.6,28.8],[118.6,28.7],[118.5,28.8],[118.5,28.7]]]}"#,
                "boundary-unsound",
            ),
        ] {
            assert_eq!(code(text), Err(expect), "{text}");
        }
        assert!(datum("GCJ-02").is_err());
        assert_eq!(datum("wgs84"), Ok("WGS-84"));
    }
}
