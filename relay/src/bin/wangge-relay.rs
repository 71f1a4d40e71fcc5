//! `wangge-relay`: founding a street, inviting workers, serving replicas.

/// Gives back to the system what a first sync has freed.
#[global_allocator]
static ALLOCATOR: wangge_node::memory::MiMalloc = wangge_node::memory::MiMalloc;

fn main() -> std::process::ExitCode {
    wangge_node::memory::give_back_soon();
    wangge_relay::cli::main(std::env::args_os())
}
