//! 网格工作和社管中心。

use super::super::WorkText;

pub(super) fn say(text: &WorkText<'_>) -> String {
    match *text {
        WorkText::UnitUnknown { typed, known } => {
            format!(
                "没有“{typed}”这个单位。可写 grid:代码、area:代码、team:代码、centre、street 或名称,如:{known}"
            )
        }
        WorkText::WorkerUnknown { typed } => {
            format!("名册里没有“{typed}”这名人员,请写姓名或人员标识;刚加入的,请先同步 (wangge sync)")
        }
        WorkText::WorkerAmbiguous { typed } => format!("叫“{typed}”的不止一人,请写人员标识:"),
        WorkText::NotHeld { unit } => format!("本机不负责 {unit},不能写入,没有保存"),
        WorkText::StreetIsTheCentres => {
            "街道范围的内容只能由社管中心(社管中心工作人员、社管中心管理员、街道领导)填写,没有保存".to_owned()
        }

        WorkText::Done { record, event, id, state } => format!("已保存:{record}·{event} ({id}),状态:{state}"),
        WorkText::StateUnknown { typed, known } => format!("没有“{typed}”这个状态,可用:{known}"),
        WorkText::LimitUnreadable { typed } => format!("--limit 应为整数,写的是“{typed}”"),
        WorkText::StateLabel => "状态".to_owned(),
        WorkText::DueLabel => "期限".to_owned(),
        WorkText::Overdue => "已超期".to_owned(),
        WorkText::VoidUnreadable => "作废:由更新的版本写成或内容损坏".to_owned(),
        WorkText::VoidRole => "作废:岗位无权".to_owned(),
        WorkText::VoidWhose => "作废:不归其办理".to_owned(),
        WorkText::VoidNoTrack => "作废:没有开启轨迹".to_owned(),
        WorkText::VoidState { state } => format!("作废:当时状态为“{state}”"),
    }
}
