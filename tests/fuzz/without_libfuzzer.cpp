#include <fleetarium/core/random.hpp>

#include <fcntl.h>
#include <sys/time.h>
#include <unistd.h>
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// A main for fuzz targets in builds without libFuzzer: runs all inputs of the folders and files
// named, then, for -max_total_time seconds, inputs that are made of them by chance. It knows
// nothing of coverage; what libFuzzer found in long hunts does it good as a seed.
//
//     TARGET [-max_total_time=SECONDS] [-seed=N] [-artifact_prefix=PREFIX] FILE_OR_FOLDER...

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
/// Of a sanitizer, where there is one.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using input = std::vector<std::uint8_t>;

constexpr std::size_t size_max = 4096;

std::string artifact_path = "crash";
const input* current = nullptr;

/// The target gave up: leaves the input that made it. Only what a signal handler may call.
void keep_current() {
    if (current == nullptr) {
        return;
    }
    const int file = open(artifact_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file >= 0) {
        const auto written = write(file, current->data(), current->size());
        static_cast<void>(written);
        close(file);
    }
    current = nullptr;
}

// A timer counts the seconds.
constexpr int input_seconds_max = 20;
volatile std::sig_atomic_t seconds_of_input = 0;
volatile std::sig_atomic_t seconds_in_all = 0;

void on_tick(int) {
    seconds_in_all = seconds_in_all + 1;
    seconds_of_input = seconds_of_input + 1;
    if (current != nullptr && seconds_of_input > input_seconds_max) {
        std::abort();
    }
}

void on_signal(int number) {
    keep_current();
    std::signal(number, SIG_DFL);
    std::raise(number);
}

void run(const input& next) {
    // A block of its own size: whoever reads behind it is found.
    const std::vector<std::uint8_t> exact(next.begin(), next.end());
    current = &next;
    seconds_of_input = 0;
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    current = nullptr;
}

input read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class mutator {
public:
    mutator(const std::vector<input>& seeds, std::uint64_t seed)
        : seeds_(seeds), random_(seed, 0, "mutator") {}

    input next() {
        input made = any();
        for (std::uint64_t count = 1 + below(5); count != 0; --count) {
            change(made);
        }
        made.resize(std::min(made.size(), size_max));
        return made;
    }

private:
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_.below(bound)); }
    const input& any() { return seeds_[below(seeds_.size())]; }
    std::uint8_t byte() {
        static constexpr std::uint8_t special[] = {0, 1, 0x7F, 0x80, 0xFF, '/', '"', '\n'};
        return below(3) == 0 ? special[below(std::size(special))]
                             : static_cast<std::uint8_t>(below(256));
    }
    auto place(input& in, std::size_t at) { return in.begin() + static_cast<std::ptrdiff_t>(at); }

    void change(input& in) {
        const std::size_t at = below(in.size() + 1);
        const std::size_t length = std::min(1 + below(16), in.size() - at);
        switch (below(6)) {
            case 0: in.insert(place(in, at), byte()); break;
            case 1: in.erase(place(in, at), place(in, at + length)); break;
            case 2: {
                const input copied(place(in, at), place(in, at + length));
                in.insert(place(in, below(in.size() + 1)), copied.begin(), copied.end());
                break;
            }
            case 3: {
                const input& other = any();
                const std::size_t from = below(other.size() + 1);
                in.resize(at);
                in.insert(in.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
                break;
            }
            case 4:
                if (at < in.size()) {
                    in[at] = static_cast<std::uint8_t>(in[at] ^ 1U << below(8));
                }
                break;
            default:
                if (at < in.size()) {
                    in[at] = byte();
                }
                break;
        }
    }

    const std::vector<input>& seeds_;
    fleetarium::random_stream random_;
};

}  // namespace

int main(int count, char** arguments) {
    long seconds_max = 0;
    std::uint64_t seed = 1;
    std::vector<input> seeds;
    std::size_t runs = 0;
    for (int i = 1; i < count; ++i) {
        const std::string_view each = arguments[i];
        const std::string value(each.substr(std::min(each.find('=') + 1, each.size())));
        if (each.starts_with("-max_total_time=")) {
            seconds_max = std::stol(value);
        } else if (each.starts_with("-seed=")) {
            seed = std::stoull(value);
        } else if (each.starts_with("-artifact_prefix=")) {
            artifact_path = value + "crash";
        } else if (each.starts_with("-")) {
            // Of libFuzzer's other options there is nothing to do here.
        } else if (std::filesystem::is_directory(each)) {
            std::vector<std::filesystem::path> files;
            for (const auto& file : std::filesystem::directory_iterator(each)) {
                files.push_back(file.path());
            }
            std::sort(files.begin(), files.end());
            std::transform(files.begin(), files.end(), std::back_inserter(seeds), read_file);
        } else {
            seeds.push_back(read_file(each));
        }
    }
    for (const int number : {SIGABRT, SIGSEGV}) {
        std::signal(number, on_signal);
    }
    std::signal(SIGALRM, on_tick);
    constexpr itimerval each_second{{1, 0}, {1, 0}};
    setitimer(ITIMER_REAL, &each_second, nullptr);
    if (__sanitizer_set_death_callback != nullptr) {
        __sanitizer_set_death_callback(keep_current);
    }
    std::set_terminate([] {
        if (const auto escaped = std::current_exception()) {
            try {
                std::rethrow_exception(escaped);
            } catch (const std::exception& what) {
                std::fprintf(stderr, "an exception escaped: %s\n", what.what());
            } catch (...) {
                std::fputs("an exception escaped\n", stderr);
            }
        }
        std::abort();
    });
    for (const input& each : seeds) {
        run(each);
        ++runs;
    }
    if (!seeds.empty()) {
        mutator from(seeds, seed);
        for (const long begin = seconds_in_all; seconds_in_all - begin < seconds_max; ++runs) {
            run(from.next());
        }
    }
    std::printf("%zu runs, of them %zu seeds\n", runs, seeds.size());
    return 0;
}
