#include <fleetarium/recording/recording_writer.hpp>

#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/message_journal.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/schema.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

namespace fleetarium::recording {

namespace {

/// A commit is cheap, but not free: under load there is one for so many blocks.
constexpr std::size_t blocks_a_commit = 16;

constexpr std::uint64_t page_size = 16'384;
/// Of a file with a limit: for the last page of each table, and for what is written at the end.
constexpr std::uint64_t spare_pages = 12;

}  // namespace

class recording_writer::implementation {
public:
    explicit implementation(const recording_options& options)
        : options_(options), current_(std::make_unique<note_block>(block_size)) {
        open();
        write_inputs();
        thread_ = std::thread([this] { write_all(); });
    }

    ~implementation() {
        if (thread_.joinable()) {
            end_thread();
        }
        if (database_ != nullptr && error_.empty()) {
            attempt([this] { database_->execute("COMMIT"); });
        }
    }

    char* add(const traffic_note& note) {
        if (!current_->has_room(note.size)) {
            hand_over(note.size);
        }
        return current_->add(note);
    }

    std::string error() const {
        const std::lock_guard lock(mutex_);
        return error_;
    }

    void flush() {
        if (!current_->empty()) {
            hand_over(0);
        }
    }

    void sync() {
        flush();
        std::unique_lock lock(mutex_);
        written_.wait(lock, [this] { return filled_.empty() && !busy_; });
    }

    sums finish(const run_facts& facts) {
        end_thread();
        if (!error_.empty()) {
            throw recording_error(error_);
        }
        journal_->finish(facts.ended_at.time_since_epoch().count());
        statement ending(
            *database_, "UPDATE runs SET ended_at = ?1, events = ?2, trace_hash = ?3, report = ?4");
        ending.bind(1, std::int64_t{facts.ended_at.time_since_epoch().count()});
        facts.events ? ending.bind(2, static_cast<std::int64_t>(*facts.events))
                     : ending.bind_null(2);
        facts.trace_hash.empty() ? ending.bind_null(3) : ending.bind(3, facts.trace_hash);
        facts.report.empty() ? ending.bind_null(4) : ending.bind(4, facts.report);
        ending.run();
        if (facts.ended_within) {
            database_->execute("UPDATE runs SET ended_within = 1");
        }
        forget_old(facts.ended_at.time_since_epoch().count());
        database_->execute("COMMIT");
        sums out{journal_->counted().messages, journal_->counted().deliveries, 0};
        ending = {};
        journal_.reset();
        // One file, without a journal beside it, can be copied and mailed.
        database_->execute("PRAGMA wal_checkpoint(TRUNCATE)");
        try {
            database_->execute("PRAGMA journal_mode = DELETE");
        } catch (const recording_error&) {
            // Somebody reads it: all is written, and the journal stays beside it.
        }
        database_.reset();
        std::error_code ignored;
        out.file_bytes = std::filesystem::file_size(options_.path, ignored);
        return out;
    }

private:
    void open() {
        std::error_code ignored;
        if (std::filesystem::exists(options_.path, ignored)) {
            throw recording_error(options_.path +
                                  ": there is a file already: a recording needs a new one");
        }
        database_ = std::make_unique<database>(options_.path, database::mode::create);
        database_->execute("PRAGMA page_size = " + std::to_string(page_size));
        if (options_.file_size_max) {
            database_->execute("PRAGMA auto_vacuum = INCREMENTAL");  // pages can be given back
        }
        // Readers see what was committed while it is written, and a crash costs no more than the
        // newest commits.
        database_->execute("PRAGMA journal_mode = WAL");
        database_->execute("PRAGMA synchronous = NORMAL");
        database_->execute("PRAGMA cache_size = -65536");
        database_->execute("PRAGMA wal_autocheckpoint = 4096");
        database_->execute("BEGIN;" + recording_schema());
        statement run(
            *database_,
            "INSERT INTO runs(id, kind, fleetarium, scenario, scenario_file, seed, began, "
            "epoch, source) VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
        run.bind(1, options_.kind).bind(2, options_.program_version);
        options_.scenario.empty() ? run.bind_null(3) : run.bind(3, options_.scenario);
        options_.scenario_file.empty() ? run.bind_null(4) : run.bind(4, options_.scenario_file);
        options_.seed ? run.bind(5, static_cast<std::int64_t>(*options_.seed)) : run.bind_null(5);
        run.bind(6, options_.began).bind(7, options_.epoch);
        options_.source.empty() ? run.bind_null(8) : run.bind(8, options_.source);
        run.run();
        database_->execute("COMMIT; BEGIN");
        journal_ = std::make_unique<message_journal>(*database_, options_.from);
    }

    void write_inputs() {
        statement input(*database_, "INSERT INTO inputs VALUES(?1, ?2)");
        for (const auto& [name, text] : options_.inputs) {
            input.bind(1, name).bind(2, as_bytes_view(text)).run();
        }
        database_->execute("COMMIT; BEGIN");
    }

    void hand_over(std::size_t text_size) {
        std::unique_lock lock(mutex_);
        if (!current_->empty()) {
            waiting_bytes_ += current_->size();
            filled_.push_back(std::move(current_));
            wake_.notify_one();
            written_.wait(lock, [this] {
                return filled_.size() < blocks_max && waiting_bytes_ < waiting_bytes_max;
            });
        }
        if (text_size > block_size / 2) {
            current_ = std::make_unique<note_block>(text_size + block_size / 2);  // a large payload
        } else if (!free_.empty()) {
            current_ = std::move(free_.back());
            free_.pop_back();
        } else {
            current_ = std::make_unique<note_block>(block_size);
        }
    }

    void end_thread() {
        {
            const std::lock_guard lock(mutex_);
            if (current_ != nullptr && !current_->empty()) {
                waiting_bytes_ += current_->size();
                filled_.push_back(std::move(current_));
            }
            ending_ = true;
            wake_.notify_one();
        }
        thread_.join();
    }

    void write_all() {
        std::size_t uncommitted = 0;
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return !filled_.empty() || ending_; });
            if (filled_.empty()) {
                return;
            }
            std::unique_ptr<note_block> block = std::move(filled_.front());
            filled_.pop_front();
            waiting_bytes_ -= block->size();
            busy_ = true;
            written_.notify_all();
            const bool usable = error_.empty();
            const bool commits = filled_.empty() || ++uncommitted == blocks_a_commit;
            lock.unlock();
            std::string failed;
            if (usable) {
                failed = attempt([&] {
                    write(*block);
                    if (commits) {
                        journal_->write_rows();
                        database_->execute("COMMIT; BEGIN");
                        uncommitted = 0;
                    }
                });
            }
            lock.lock();
            if (!failed.empty()) {
                error_ = failed;
            }
            busy_ = false;
            written_.notify_all();
            if (free_.size() < 2 && block->capacity() == block_size) {  // large ones go
                block->clear();
                free_.push_back(std::move(block));
            }
        }
    }

    template <class Work>
    std::string attempt(Work&& work) {
        try {
            work();
            return {};
        } catch (const std::exception& error) {
            // What is committed stays; what failed is taken back when the file closes.
            return error.what();
        }
    }

    void write(const note_block& block) {
        std::size_t unchecked = 0;
        block.for_each([&](const traffic_note& note, std::string_view text) {
            if (options_.file_size_max) {
                unchecked += sizeof note + text.size();
                if (unchecked >= part_size()) {
                    make_room(text.size() + part_size());
                    unchecked = text.size();
                }
            }
            newest_ = std::max(newest_, note.at);
            journal_->take(note, text);
        });
        if (options_.last) {
            journal_->write_rows();
            forget_until(first_message_from(*database_, newest_ - options_.last->count()));
        }
    }

    /// Gives up what is too old or too much at the end, when nothing more comes.
    void forget_old(std::int64_t now) {
        if (options_.last) {
            forget_until(first_message_from(*database_, now - options_.last->count()));
        }
        if (options_.file_size_max) {
            make_room(0);
            // Pages that were given up are in the file, until the last ones have their places.
            if (pages("page_count") * page_size > *options_.file_size_max) {
                database_->execute("PRAGMA incremental_vacuum");
            }
        }
    }

    /// Bytes of notes from one look at the file's size to the next.
    std::size_t part_size() const {
        return static_cast<std::size_t>(
            std::min<std::uint64_t>(*options_.file_size_max / 64, block_size));
    }

    std::uint64_t pages(const std::string& of) {
        return static_cast<std::uint64_t>(*database_->integer("PRAGMA " + of));
    }

    /// Gives up the oldest messages, until so many bytes of notes fit in the file. Rows may take
    /// twice as much: pages are half empty where rows come out of order.
    void make_room(std::size_t bytes) {
        journal_->write_rows();
        const std::uint64_t max = *options_.file_size_max / page_size;
        const std::uint64_t needed = 2 * bytes / page_size + spare_pages;
        while (pages("page_count") - pages("freelist_count") + needed > max) {
            const auto first = database_->integer("SELECT min(id) FROM messages");
            if (!first || *first == journal_->last_message()) {
                return;
            }
            // Some at a time, so that it is not done again at once.
            const std::int64_t count = journal_->last_message() - *first + 1;
            forget_until(*first + std::max<std::int64_t>(count / 16, 1));
        }
    }

    void forget_until(std::int64_t message) {
        const std::string id = std::to_string(message);
        if (database_->integer("SELECT min(id) < " + id + " FROM messages").value_or(0) == 0) {
            return;
        }
        // The first that stays, or, if none does, just after the last.
        const auto at = database_->integer(
            "SELECT coalesce((SELECT at FROM messages WHERE id >= " + id +
            " ORDER BY id LIMIT 1), (SELECT at + 1 FROM messages ORDER BY id DESC LIMIT 1))");
        database_->execute("DELETE FROM messages WHERE id < " + id +
                           "; DELETE FROM deliveries WHERE id < " +
                           std::to_string(message << deliveries_per_message_bits) +
                           "; DELETE FROM acknowledgements WHERE message < " + id +
                           "; DELETE FROM resends WHERE message < " + id);
        if (at) {
            database_->execute("UPDATE runs SET forgotten_until = max(forgotten_until, " +
                               std::to_string(*at) + ")");
        }
    }

    const recording_options options_;
    std::unique_ptr<database> database_;
    std::unique_ptr<message_journal> journal_;  // the thread's, while it runs
    std::int64_t newest_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable written_;
    std::deque<std::unique_ptr<note_block>> filled_;
    std::vector<std::unique_ptr<note_block>> free_;
    std::size_t waiting_bytes_ = 0;
    bool busy_ = false;  // a block is being written
    bool ending_ = false;
    std::string error_;
    std::unique_ptr<note_block> current_;  // the caller's
    std::thread thread_;
};

recording_writer::recording_writer(const recording_options& options)
    : implementation_(std::make_unique<implementation>(options)) {}

recording_writer::~recording_writer() = default;

char* recording_writer::add(const traffic_note& note) { return implementation_->add(note); }

void recording_writer::add(const traffic_note& note, std::string_view text) {
    traffic_note sized = note;
    sized.size = static_cast<std::uint32_t>(text.size());
    char* const to = implementation_->add(sized);
    if (!text.empty()) {
        std::memcpy(to, text.data(), text.size());
    }
}

void recording_writer::flush() { implementation_->flush(); }

void recording_writer::sync() { implementation_->sync(); }

std::string recording_writer::error() const { return implementation_->error(); }

recording_writer::sums recording_writer::finish(const run_facts& facts) {
    return implementation_->finish(facts);
}

}  // namespace fleetarium::recording
