//! 照片。

use super::super::PhotoText;
use crate::replica::photos::PhotoState;

pub(super) fn say(text: &PhotoText<'_>) -> String {
    match *text {
        PhotoText::Unreadable { path, reason } => format!("照片 {path} 无法读取:{reason},没有保存"),
        PhotoText::NoFile { path } => format!("{path} 不是文件,没有保存"),
        PhotoText::Empty { path } => format!("照片 {path} 是空文件,没有保存"),
        PhotoText::NoPhoto { path } => format!("{path} 不是照片,只接受 JPEG、PNG、WebP,没有保存"),
        PhotoText::Damaged { path } => format!("照片 {path} 已损坏或不完整,没有保存"),
        PhotoText::TooLong { path, mib, mib_max } => {
            format!("照片 {path} 有 {mib} MB,最多 {mib_max} MB,请缩小后再添加,没有保存")
        }
        PhotoText::TooMany { count, max } => format!("照片太多:{count} 张,最多 {max} 张,没有保存"),
        PhotoText::OfErased => "这条记录涉及的人员已按规定清除,不能再添加照片".to_owned(),
        PhotoText::NotOfRegisters => "人员、场所档案不附照片;请附在事件、隐患、巡查、检查等记录上".to_owned(),
        PhotoText::Added { count } => format!("已保存照片 {count} 张(拍摄地点等信息已去除)"),
        PhotoText::Waiting { unsent, missing } => format!("待上传照片 {unsent} 张,待接收照片 {missing} 张"),
        PhotoText::Line { number, form, kib, state } => {
            let state = match state {
                PhotoState::Missing => "尚未收到",
                PhotoState::Here => "已保存待上传",
                PhotoState::Centre => "已到中心",
                PhotoState::Gone => "已撤除或随清除指令销毁",
            };
            format!("{number}. {form} {kib} KB  {state}")
        }
        PhotoText::Of { count } => format!("照片:{count} 张"),
        PhotoText::None => "没有照片".to_owned(),
        PhotoText::NumberUnknown { number, count } => format!("没有第 {number} 张照片,这条记录有 {count} 张"),
        PhotoText::Gone => "这张照片已从记录撤除,或已随清除指令销毁".to_owned(),
        PhotoText::NotHere => "这张照片还没有收到,请先同步 (wangge sync)".to_owned(),
        PhotoText::Exists { path } => format!("{path} 已经存在,请换一个文件名"),
        PhotoText::Unwritable { path, reason } => format!("{path} 无法写入:{reason}"),
        PhotoText::Removed { number } => {
            format!("已撤除第 {number} 张照片:中心确认后,各设备同步时销毁;记录里留有说明")
        }
        PhotoText::Saved { path } => format!("照片已写入 {path}"),
    }
}
