//! Staffing "1+1+X" (art. 20) and what goes with it (art. 15, 23): what a unit has, what it lacks.

/// Least share of cadres that are posted down to the areas (art. 6), in per cent.
pub const POSTED_DOWN_PERCENT_MIN: usize = 55;

/// What a grid has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grid {
    /// 网格长.
    pub leaders: Vec<String>,
    /// Of those, the ones who are known as formal cadres.
    pub cadres: Vec<String>,
    /// 网格员, those of its sub-grids included.
    pub workers: Vec<String>,
    /// How many sub-grids it has.
    pub sub_grids: usize,
    /// Other forces (X).
    pub forces: usize,
    /// Work points.
    pub points: usize,
    /// Workstations.
    pub workstations: usize,
    /// Phones, those of its sub-grids included.
    pub phones: usize,
}

/// What an area has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Area {
    /// 工作片主任, 企业片区长.
    pub heads: Vec<String>,
    /// 系统信息员.
    pub clerks: Vec<String>,
    /// Formal cadres who see to the mechanism's daily running.
    pub cadres: Vec<String>,
    /// How many grids it has, sub-grids not counted.
    pub grids: usize,
    /// Whether it is one of enterprises.
    pub enterprise: bool,
}

/// How many grids an area of enterprises has (art. 16).
pub const ENTERPRISE_GRIDS: usize = 8;

/// Something that is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// 网格长.
    Leader,
    /// The 网格长 is not known as a formal cadre.
    LeaderNotCadre,
    /// 网格员: how many there are and how many there should be.
    Workers {
        /// There are.
        found: usize,
        /// There should be.
        needed: usize,
    },
    /// X.
    Forces,
    /// 网格工作点.
    Point,
    /// 工作站.
    Workstation,
    /// 手机, one a sub-grid: how many there are and how many there should be.
    Phones {
        /// There are.
        found: usize,
        /// There should be.
        needed: usize,
    },
    /// 片区负责人.
    AreaHead,
    /// 系统信息员.
    AreaClerk,
    /// The cadre who sees to the mechanism's daily running.
    AreaCadre,
    /// Grids of an area of enterprises: how many there are and how many there should be.
    Grids {
        /// There are.
        found: usize,
        /// There should be.
        needed: usize,
    },
}

impl Missing {
    /// For programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::LeaderNotCadre => "leader-not-cadre",
            Self::Workers { .. } => "workers",
            Self::Forces => "forces",
            Self::Point => "work-point",
            Self::Workstation => "workstation",
            Self::Phones { .. } => "phones",
            Self::AreaHead => "area-head",
            Self::AreaClerk => "area-clerk",
            Self::AreaCadre => "area-cadre",
            Self::Grids { .. } => "grids",
        }
    }
}

impl Grid {
    /// How many 网格员 it should have: one, and one more a sub-grid.
    pub fn workers_needed(&self) -> usize {
        1 + self.sub_grids
    }

    /// How many phones it should have: one a sub-grid, or one.
    pub fn phones_needed(&self) -> usize {
        self.sub_grids.max(1)
    }

    /// What is missing.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if self.leaders.is_empty() {
            missing.push(Missing::Leader);
        } else if self.cadres.is_empty() {
            missing.push(Missing::LeaderNotCadre);
        }
        if self.workers.len() < self.workers_needed() {
            missing.push(Missing::Workers { found: self.workers.len(), needed: self.workers_needed() });
        }
        if self.forces == 0 {
            missing.push(Missing::Forces);
        }
        if self.points == 0 {
            missing.push(Missing::Point);
        }
        if self.workstations == 0 {
            missing.push(Missing::Workstation);
        }
        if self.phones < self.phones_needed() {
            missing.push(Missing::Phones { found: self.phones, needed: self.phones_needed() });
        }
        missing
    }
}

impl Area {
    /// What is missing.
    pub fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        if self.heads.is_empty() {
            missing.push(Missing::AreaHead);
        }
        if self.clerks.is_empty() {
            missing.push(Missing::AreaClerk);
        }
        if self.cadres.is_empty() {
            missing.push(Missing::AreaCadre);
        }
        if self.enterprise && self.grids != ENTERPRISE_GRIDS {
            missing.push(Missing::Grids { found: self.grids, needed: ENTERPRISE_GRIDS });
        }
        missing
    }
}

/// The share of cadres posted down, in per cent rounded down; `None` if no cadre is known.
pub fn posted_down_percent(cadres: usize, posted_down: usize) -> Option<usize> {
    (posted_down * 100).checked_div(cadres)
}
