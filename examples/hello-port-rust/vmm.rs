// SPDX-License-Identifier: BSD-2-Clause
//! The part of the plugin ABI that hello-port uses, as Rust sees it: what <vmm/plugin.h> is for C. The layouts are those of
//! ABI 0.1; the assertions are those of the headers.

use std::mem::size_of;
use std::os::raw::{c_char, c_void};

pub const E_NOMEM: i32 = -20;
pub const E_UNSUPPORTED: i32 = -30;
pub const OPT_UINT: u32 = 300;
pub const OPT_STRING: u32 = 600;
pub const THREADS_SERIAL: u32 = 2000;
pub const IO_PIO: u32 = 100;
pub const IO_ENABLED: u32 = 1;

/// What is constant and has pointers in it: the core reads it from any thread.
#[repr(transparent)]
pub struct Table<T>(pub T);
unsafe impl<T> Sync for Table<T> {}

/// The core's handle of a device; opaque.
#[repr(C)]
pub struct Host {
    _private: [u8; 0],
}

#[repr(C)]
pub struct Error {
    pub struct_size: u64,
    pub text: *mut c_char,
    pub text_bytes: u64,
}

#[repr(C)]
pub struct Hello {
    pub size: u64,
    pub abi_major: u32,
    pub abi_minor: u32,
    pub core_version: *const c_char,
    pub query: unsafe extern "C" fn(*mut Host, *const c_char, u64, *mut *const c_void) -> i32,
    pub query_ref: *const c_void,
}

#[repr(C)]
pub struct Value {
    pub struct_size: u64,
    pub kind: u32,
    pub flags: u32,
    pub number: i64,
    pub text: *const c_char,
    pub items: *const c_void,
    pub item_count: u64,
    pub file: *const c_char,
    pub line: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct CreateArgs {
    pub struct_size: u64,
    pub hello: *const Hello,
    pub host: *mut Host,
    pub device_id: *const c_char,
    pub values: *const *const Value,
    pub value_count: u64,
    pub error: *mut Error,
    pub compat_level: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct Option_ {
    pub struct_size: u64,
    pub name: *const c_char,
    pub kind: u32,
    pub flags: u32,
    pub default_text: *const c_char,
    pub min: i64,
    pub max: i64,
    pub unit: *const c_char,
    pub enum_names: *const c_void,
    pub enum_count: u64,
    pub interface_id: *const c_char,
    pub members: *const c_void,
    pub member_count: u64,
    pub doc: *const c_char,
    pub since_minor: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct DeviceOps {
    pub size: u64,
    pub validate: *const c_void,
    pub create: unsafe extern "C" fn(*const CreateArgs, *mut *mut c_void) -> i32,
    pub bind: *const c_void,
    pub get_interface: *const c_void,
    pub realize: unsafe extern "C" fn(*mut c_void, *mut Error) -> i32,
    pub start: *const c_void,
    pub quiesce: *const c_void,
    pub unrealize: unsafe extern "C" fn(*mut c_void),
    pub destroy: unsafe extern "C" fn(*mut c_void),
}

#[repr(C)]
pub struct DeviceType {
    pub size: u64,
    pub name: *const c_char,
    pub summary: *const c_char,
    pub thread_model: u32,
    pub flags: u32,
    pub options: *const *const Option_,
    pub option_count: u64,
    pub provides: *const c_void,
    pub provides_count: u64,
    pub ops: *const DeviceOps,
}

#[repr(C)]
pub struct PluginDesc {
    pub size: u64,
    pub id: *const c_char,
    pub version: *const c_char,
    pub summary: *const c_char,
    pub types: *const *const DeviceType,
    pub type_count: u64,
}

#[repr(C)]
pub struct IoOps {
    pub size: u64,
    pub read: unsafe extern "C" fn(*mut c_void, u64, u32, *mut u64) -> i32,
    pub write: unsafe extern "C" fn(*mut c_void, u64, u32, u64) -> i32,
}

#[repr(C)]
pub struct IoRegion {
    pub struct_size: u64,
    pub name: *const c_char,
    pub space: u32,
    pub flags: u32,
    pub base: u64,
    pub bytes: u64,
    pub width_max: u32,
    pub reserved: u32,
    pub ops: *const IoOps,
    pub ctx: *mut c_void,
}

/// vmm.io/1, as far as it is used here: a consumer of a table copies what it knows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Io {
    pub size: u64,
    pub region_add: unsafe extern "C" fn(*mut Host, *const IoRegion, *mut u64) -> i32,
    pub region_set: *const c_void,
    pub region_remove: unsafe extern "C" fn(*mut Host, u64) -> i32,
}

#[repr(C)]
pub struct Note {
    pub name_bytes: u32,
    pub desc_bytes: u32,
    pub kind: u32,
    pub name: [u8; 4],
    pub abi_major: u32,
    pub abi_minor: u32,
    pub min_host_minor: u32,
    pub arch: u32,
    pub libc: u32,
    pub reserved: u32,
    pub plugin_id: [u8; 64],
    pub types: [u8; 256],
}

const _: () = assert!(size_of::<Error>() == 24);
const _: () = assert!(size_of::<Hello>() == 40);
const _: () = assert!(size_of::<Value>() == 64);
const _: () = assert!(size_of::<CreateArgs>() == 64);
const _: () = assert!(size_of::<Option_>() == 112);
const _: () = assert!(size_of::<DeviceOps>() == 80);
const _: () = assert!(size_of::<DeviceType>() == 72);
const _: () = assert!(size_of::<PluginDesc>() == 48);
const _: () = assert!(size_of::<IoOps>() == 24);
const _: () = assert!(size_of::<IoRegion>() == 64);
const _: () = assert!(size_of::<Note>() == 360);

/// Text at the start of an array of zeroes.
pub const fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut i = 0;
    while i < text.len() {
        bytes[i] = text[i];
        i += 1;
    }
    bytes
}

/// The ELF note of a plugin that offers one type, named as its file is.
pub const fn note(plugin_id: &[u8]) -> Note {
    Note {
        name_bytes: 4,
        desc_bytes: 344,
        kind: 1,
        name: *b"VMM\0",
        abi_major: 0,
        abi_minor: 1,
        min_host_minor: 1,
        arch: 62,
        libc: 1,
        reserved: 0,
        plugin_id: padded(plugin_id),
        types: [0; 256],
    }
}

/// Writes the text of an error, cut to the room that there is.
///
/// # Safety
/// `error` is what the core passed to the call under way, or NULL.
pub unsafe fn set_error(error: *mut Error, text: &str) {
    if error.is_null() || (*error).text.is_null() || (*error).text_bytes == 0 {
        return;
    }
    let bytes = text.len().min((*error).text_bytes as usize - 1);
    std::ptr::copy_nonoverlapping(text.as_ptr(), (*error).text.cast(), bytes);
    (*error).text.add(bytes).write(0);
}
