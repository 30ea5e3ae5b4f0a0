#pragma once

#include <fleetarium/recording/recording_error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace fleetarium::recording {

/// A file without a name in the directory for temporary files ($TMPDIR); null: none can be made.
std::FILE* open_temporary_file();

/// Throws no_room_error, with the reason that errno has.
[[noreturn]] void fail_temporary_file();

/// What is to come later, the earliest first: a queue whose memory is bounded, however much waits.
/// Beyond `entries_max` the later half goes to a temporary file, in the order of time, and comes
/// back from there in blocks. `Entry` is a plain value with operator<, in which no two are equal.
template <class Entry>
class later_queue {
    static_assert(std::is_trivially_copyable_v<Entry>);

public:
    explicit later_queue(std::size_t entries_max = std::size_t{1} << 20)
        : entries_max_(std::max<std::size_t>(entries_max, 2)) {}

    bool empty() const { return heap_.empty() && runs_.empty(); }

    /// Throws no_room_error if there is none for the temporary file.
    void push(const Entry& entry) {
        if (heap_.size() == entries_max_) {
            put_away();
        }
        heap_.push_back(entry);
        std::push_heap(heap_.begin(), heap_.end(), later);
    }

    /// Not of an empty one.
    const Entry& top() const {
        const run* const first = earliest_run();
        return first == nullptr || (!heap_.empty() && heap_.front() < first->front())
                   ? heap_.front()
                   : first->front();
    }

    void pop() {
        run* const first = earliest_run();
        if (first == nullptr || (!heap_.empty() && heap_.front() < first->front())) {
            std::pop_heap(heap_.begin(), heap_.end(), later);
            heap_.pop_back();
            return;
        }
        if (++first->next == first->block.size() && !refill(*first)) {
            runs_.erase(runs_.begin() + (first - runs_.data()));
        }
    }

private:
    static constexpr std::size_t block_entries = 1024;

    struct run {
        long at = 0;  // in the file, of what is not in the block
        std::size_t left = 0;
        std::vector<Entry> block{};
        std::size_t next = 0;
        const Entry& front() const { return block[next]; }
    };
    struct close_file {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    static bool later(const Entry& a, const Entry& b) { return b < a; }

    const run* earliest_run() const {
        const run* first = nullptr;
        for (const run& each : runs_) {
            if (first == nullptr || each.front() < first->front()) {
                first = &each;
            }
        }
        return first;
    }
    run* earliest_run() { return const_cast<run*>(std::as_const(*this).earliest_run()); }

    void put_away() {
        if (file_ == nullptr) {
            file_.reset(open_temporary_file());
        }
        const auto middle = heap_.begin() + static_cast<std::ptrdiff_t>(heap_.size() / 2);
        std::nth_element(heap_.begin(), middle, heap_.end());
        std::sort(middle, heap_.end());
        run made;
        made.left = static_cast<std::size_t>(heap_.end() - middle);
        if (file_ == nullptr || std::fseek(file_.get(), 0, SEEK_END) != 0 ||
            (made.at = std::ftell(file_.get())) < 0 ||
            std::fwrite(&*middle, sizeof(Entry), made.left, file_.get()) != made.left ||
            std::fflush(file_.get()) != 0) {
            fail_temporary_file();
        }
        heap_.erase(middle, heap_.end());
        std::make_heap(heap_.begin(), heap_.end(), later);
        refill(made);
        runs_.push_back(std::move(made));
    }

    /// False: the run is at its end.
    bool refill(run& which) {
        const std::size_t count = std::min(which.left, block_entries);
        which.block.resize(count);
        which.next = 0;
        if (count == 0) {
            return false;
        }
        if (std::fseek(file_.get(), which.at, SEEK_SET) != 0 ||
            std::fread(which.block.data(), sizeof(Entry), count, file_.get()) != count) {
            throw recording_error("a temporary file cannot be read");
        }
        which.left -= count;
        which.at += static_cast<long>(count * sizeof(Entry));
        return true;
    }

    std::size_t entries_max_;
    std::vector<Entry> heap_;
    std::vector<run> runs_;
    std::unique_ptr<std::FILE, close_file> file_;
};

}  // namespace fleetarium::recording
