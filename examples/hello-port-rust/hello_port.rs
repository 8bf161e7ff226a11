// SPDX-License-Identifier: BSD-2-Clause
//! hello-port-rust: the device of ../hello-port in Rust, without crates. It answers at one I/O port: each read gives the next
//! character of a text, any write starts the text again.
//!
//! Nothing in what the core calls may panic, for that would end the machine: no indexing, no unwrap, no allocation of Rust's.

mod vmm;

use std::mem::size_of;
use std::os::raw::{c_char, c_void};
use std::ptr::null;
use vmm::*;

extern "C" {
    fn calloc(count: usize, bytes: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
    fn strlen(text: *const c_char) -> usize;
}

/// The order of OPTIONS, and so of the values that create() gets.
const OPTION_PORT: usize = 0;
const OPTION_TEXT: usize = 1;

/// Made of zeroes by calloc(): every member has to be right as such until it is set.
#[repr(C)]
struct Device {
    host: *mut Host,
    io: Option<Io>,
    port: u64,
    text: *const c_char,
    text_bytes: usize,
    next: usize,
    region: u64,
    has_region: bool,
}

unsafe extern "C" fn read(ctx: *mut c_void, _offset: u64, _width: u32, ret_value: *mut u64) -> i32 {
    let hello = &mut *ctx.cast::<Device>();
    *ret_value = u64::from(*hello.text.add(hello.next) as u8);
    hello.next += 1;
    if hello.next >= hello.text_bytes {
        hello.next = 0;
    }
    0
}

unsafe extern "C" fn write(ctx: *mut c_void, _offset: u64, _width: u32, _value: u64) -> i32 {
    (*ctx.cast::<Device>()).next = 0;
    0
}

unsafe extern "C" fn create(args: *const CreateArgs, ret_ctx: *mut *mut c_void) -> i32 {
    let args = &*args;
    let mut table: *const c_void = null();
    let id = b"vmm.io/1\0".as_ptr().cast();
    let ret = ((*args.hello).query)(args.host, id, size_of::<Io>() as u64, &mut table);
    if ret < 0 {
        set_error(args.error, "this vmm does not offer vmm.io/1");
        return ret;
    }
    let hello = calloc(1, size_of::<Device>()).cast::<Device>();
    if hello.is_null() {
        set_error(args.error, "no memory");
        return E_NOMEM;
    }
    (*hello).host = args.host;
    (*hello).io = Some(*table.cast::<Io>());
    (*hello).port = (**args.values.add(OPTION_PORT)).number as u64;
    (*hello).text = (**args.values.add(OPTION_TEXT)).text; // valid until destroy
    (*hello).text_bytes = strlen((*hello).text);
    *ret_ctx = hello.cast();
    0
}

unsafe extern "C" fn realize(ctx: *mut c_void, error: *mut Error) -> i32 {
    let hello = &mut *ctx.cast::<Device>();
    let region = IoRegion {
        struct_size: size_of::<IoRegion>() as u64,
        name: b"hello-port-rust\0".as_ptr().cast(),
        space: IO_PIO,
        flags: IO_ENABLED,
        base: hello.port,
        bytes: 1,
        width_max: 1,
        reserved: 0,
        ops: &IO_OPS,
        ctx,
    };
    let ret = match hello.io {
        Some(io) => (io.region_add)(hello.host, &region, &mut hello.region),
        None => E_UNSUPPORTED,
    };
    if ret < 0 {
        set_error(error, "its port is not free");
        return ret;
    }
    hello.has_region = true;
    0
}

/// Comes after each realize, also after one that failed.
unsafe extern "C" fn unrealize(ctx: *mut c_void) {
    let hello = &mut *ctx.cast::<Device>();
    if let (true, Some(io)) = (hello.has_region, hello.io) {
        (io.region_remove)(hello.host, hello.region);
    }
    hello.has_region = false;
}

unsafe extern "C" fn destroy(ctx: *mut c_void) {
    free(ctx);
}

static IO_OPS: IoOps = IoOps {
    size: size_of::<IoOps>() as u64,
    read,
    write,
};

const fn option(name: &'static [u8], kind: u32, default_text: &'static [u8], range: (i64, i64), doc: &'static [u8]) -> Option_ {
    Option_ {
        struct_size: size_of::<Option_>() as u64,
        name: name.as_ptr().cast(),
        kind,
        flags: 0,
        default_text: default_text.as_ptr().cast(),
        min: range.0,
        max: range.1,
        unit: null(),
        enum_names: null(),
        enum_count: 0,
        interface_id: null(),
        members: null(),
        member_count: 0,
        doc: doc.as_ptr().cast(),
        since_minor: 0,
        reserved: 0,
    }
}

static PORT: Table<Option_> = Table(option(b"port\0", OPT_UINT, b"0x580\0", (0x100, 0xffff), b"the I/O port\0"));
static TEXT: Table<Option_> = Table(option(
    b"text\0",
    OPT_STRING,
    b"hello\0",
    (1, 1024),
    b"what the guest reads, a character at a time\0",
));
static OPTIONS: Table<[*const Option_; 2]> = Table([&PORT.0, &TEXT.0]);

static OPS: Table<DeviceOps> = Table(DeviceOps {
    size: size_of::<DeviceOps>() as u64,
    validate: null(),
    create,
    bind: null(),
    get_interface: null(),
    realize,
    start: null(),
    quiesce: null(),
    unrealize,
    destroy,
});

static TYPE: Table<DeviceType> = Table(DeviceType {
    size: size_of::<DeviceType>() as u64,
    name: b"hello-port-rust\0".as_ptr().cast(),
    summary: b"an I/O port that says hello, in Rust\0".as_ptr().cast(),
    thread_model: THREADS_SERIAL, // `next` needs no lock: one access at a time
    flags: 0,
    options: OPTIONS.0.as_ptr(),
    option_count: 2,
    provides: null(),
    provides_count: 0,
    ops: &OPS.0,
});
static TYPES: Table<[*const DeviceType; 1]> = Table([&TYPE.0]);

static DESC: Table<PluginDesc> = Table(PluginDesc {
    size: size_of::<PluginDesc>() as u64,
    id: b"com.example.hello-port-rust\0".as_ptr().cast(),
    version: b"0.1.0\0".as_ptr().cast(),
    summary: b"an I/O port that says hello, in Rust\0".as_ptr().cast(),
    types: TYPES.0.as_ptr(),
    type_count: 1,
});

#[used]
#[link_section = ".note.vmm.plugin"]
static NOTE: Note = note(b"com.example.hello-port-rust");

/// # Safety
/// Called by the core.
#[no_mangle]
pub unsafe extern "C" fn vmm_plugin_entry_v1(_hello: *const Hello, ret_desc: *mut *const PluginDesc) -> i32 {
    *ret_desc = &DESC.0;
    0
}
