#pragma once

#include <fleetarium/feed/traffic_index.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace fleetarium::feed {

/// The traffic_index of a recording file, read while questions are answered: a little at once, the
/// rest on a thread with a connection of its own. Of a recording that is being written it takes
/// what comes.
///
/// Thread rule: one thread, but for what the class does itself.
class background_index {
public:
    /// Reads `messages_at_once` messages before it returns. Throws recording_error.
    background_index(const std::string& path, std::size_t messages_at_once);
    ~background_index();
    background_index(const background_index&) = delete;
    background_index& operator=(const background_index&) = delete;

    /// Something was written to the file.
    void follow();

    /// Whether all of the file, as it was lately, has been read.
    bool complete() const;
    void wait_until_complete();
    /// Why it is not read any further; empty: nothing is wrong.
    std::string error() const;

    /// Holds the thread off while it lives.
    class access {
    public:
        traffic_index* operator->() { return index_; }
        traffic_index& operator*() { return *index_; }

    private:
        friend class background_index;
        access(std::unique_lock<std::mutex> lock, traffic_index& index)
            : lock_(std::move(lock)), index_(&index) {}
        std::unique_lock<std::mutex> lock_;
        traffic_index* index_;
    };
    access open();

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::feed
