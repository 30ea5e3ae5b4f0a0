#pragma once

#include <utility>

namespace fleetarium::net {

/// A socket of the operating system that is closed with its handle.
class socket_handle {
public:
    using native_type = int;

    socket_handle() = default;
    explicit socket_handle(native_type owned) noexcept : socket_(owned) {}
    socket_handle(socket_handle&& other) noexcept : socket_(other.release()) {}
    socket_handle& operator=(socket_handle&& other) noexcept {
        socket_handle taken(std::move(other));
        std::swap(socket_, taken.socket_);
        return *this;
    }
    ~socket_handle();

    explicit operator bool() const noexcept { return socket_ != none; }
    native_type get() const noexcept { return socket_; }
    native_type release() noexcept { return std::exchange(socket_, none); }

private:
    static constexpr native_type none = -1;
    native_type socket_ = none;
};

}  // namespace fleetarium::net
