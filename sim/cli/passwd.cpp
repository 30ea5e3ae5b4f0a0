#include "commands.hpp"

#include <fleetarium/config/document.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/server/password_file.hpp>

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include <variant>
#include <vector>

namespace fleetarium::cli {

namespace {

struct passwd_flags {
    std::string file;
    std::string user;
    bool remove = false;
    bool from_stdin = false;
    std::uint32_t rounds = broker::password_rounds;
};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + " (" + std::strerror(errno) + ")");
}

/// A file descriptor that is closed in the end.
class open_file {
public:
    explicit open_file(int number) : number_(number) {}
    ~open_file() {
        if (number_ >= 0) {
            close(number_);
        }
    }
    open_file(const open_file&) = delete;
    open_file& operator=(const open_file&) = delete;
    int number() const { return number_; }

private:
    int number_;
};

/// Standard input without echo.
class silent_terminal {
public:
    silent_terminal() {
        if (tcgetattr(STDIN_FILENO, &before_) == 0) {
            termios silent = before_;
            silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
            silent.c_lflag |= ECHONL;
            is_silent_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
        }
    }
    ~silent_terminal() {
        if (is_silent_) {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
        }
    }
    silent_terminal(const silent_terminal&) = delete;
    silent_terminal& operator=(const silent_terminal&) = delete;
    bool is_silent() const { return is_silent_; }

private:
    termios before_{};
    bool is_silent_ = false;
};

std::optional<std::string> ask_twice() {
    const silent_terminal terminal;
    if (!terminal.is_silent()) {
        std::cerr << "fleetarium: no terminal to ask for the password; expected --stdin, and the "
                     "password as the first line of standard input\n";
        return std::nullopt;
    }
    std::string first;
    std::string second;
    std::cerr << "Password: " << std::flush;
    if (!std::getline(std::cin, first)) {
        return std::nullopt;
    }
    std::cerr << "Again: " << std::flush;
    if (!std::getline(std::cin, second) || first != second) {
        std::cerr << "fleetarium: the two are not the same; nothing was changed\n";
        return std::nullopt;
    }
    return first;
}

std::optional<std::string> read_password(const passwd_flags& flags) {
    std::string password;
    if (!flags.from_stdin) {
        auto typed = ask_twice();
        if (!typed) {
            return std::nullopt;
        }
        password = std::move(*typed);
    } else if (!std::getline(std::cin, password)) {
        std::cerr << "fleetarium: found nothing on standard input, expected the password as its "
                     "first line\n";
        return std::nullopt;
    }
    constexpr std::size_t size_max = 65'535;  // of a field of CONNECT
    if (password.empty() || password.size() > size_max) {
        std::cerr << "fleetarium: found a password of " << password.size()
                  << " bytes, expected 1 to 65535\n";
        return std::nullopt;
    }
    return password;
}

/// Puts `text` in the place of the file: at every moment it is the old one or the new one, whole.
void replace_file(const std::string& path, std::string_view text) {
    std::string temporary = path + ".XXXXXX";
    const open_file out(mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
    if (out.number() < 0) {
        fail(path + ": no file can be made beside it");
    }
    struct stat before {};
    if (stat(path.c_str(), &before) == 0 &&
        fchown(out.number(), before.st_uid, before.st_gid) != 0) {
        // Only root may give files away. Whoever may not owns the new one.
        errno = 0;
    }
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto written = write(out.number(), rest.data(), rest.size());
        if (written < 0 && errno != EINTR) {
            const int why = errno;
            unlink(temporary.c_str());
            errno = why;
            fail(path + ": the new one cannot be written");
        }
        rest.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    if (fsync(out.number()) != 0 || rename(temporary.c_str(), path.c_str()) != 0) {
        const int why = errno;
        unlink(temporary.c_str());
        errno = why;
        fail(path + ": cannot be replaced");
    }
}

/// The file that a name leads to: a symbolic link stays one.
std::string real_path(const std::string& path) {
    std::error_code none;
    const auto real = std::filesystem::canonical(path, none);
    return none ? path : real.string();
}

int change(const passwd_flags& flags) {
    if (const auto wrong = broker::user_name_problem(flags.user); !wrong.empty()) {
        std::cerr << "fleetarium: found " << wrong << ", expected a name without it\n";
        return exit_bad_input;
    }
    std::string line;
    if (!flags.remove) {
        const auto password = read_password(flags);
        if (!password) {
            return exit_bad_input;
        }
        line = broker::password_line(flags.user, *password, flags.rounds);
    }

    const std::string path = real_path(flags.file);
    const auto folder = std::filesystem::path(path).parent_path();
    const open_file lock(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC));
    if (lock.number() < 0 || flock(lock.number(), LOCK_EX) != 0) {
        std::cerr << "fleetarium: " << flags.file << ": its folder cannot be used ("
                  << std::strerror(errno) << ")\n";
        return exit_bad_input;
    }
    std::string text;
    const bool is_there = access(path.c_str(), F_OK) == 0;
    if (is_there || flags.remove) {
        auto read = config::read_text_file(path, limits::server_file_size_max, "a password file");
        if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
            std::cerr << config::to_string(*problems);
            return exit_bad_input;
        }
        text = std::get<std::string>(std::move(read));
        const auto users = broker::parse_passwords(text, flags.file);
        if (const auto* problems = std::get_if<std::vector<config::problem>>(&users)) {
            std::cerr << config::to_string(*problems) << flags.file << ": nothing was changed\n";
            return exit_bad_input;
        }
    }
    if (!flags.remove) {
        replace_file(path, broker::with_user(text, flags.user, line));
    } else if (const auto rest = broker::without_user(text, flags.user)) {
        replace_file(path, *rest);
    } else {
        std::cerr << flags.file << ": found no user " << config::quoted(flags.user)
                  << "; nothing was changed\n";
        return exit_bad_input;
    }
    return exit_success;
}

}  // namespace

void add_passwd(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<passwd_flags>();
    CLI::App* const command = app.add_subcommand(
        "passwd", "Give a user a password, for fleetarium broker --passwords FILE");
    command->add_option("file", flags->file, "The password file; made if there is none")
        ->required()
        ->type_name("FILE");
    command->add_option("user", flags->user, "Whose password")->required()->type_name("USER");
    auto* const remove =
        command->add_flag("--delete", flags->remove, "Take the user out of the file");
    command
        ->add_flag("--stdin", flags->from_stdin, "The password is the first line of standard input")
        ->excludes(remove);
    command
        ->add_option("--rounds", flags->rounds,
                     "How often the hash goes round: the more, the slower a login and a guess. "
                     "Passwords of many devices, long and random, may do with 1000")
        ->check(CLI::Range(1U, broker::password_rounds_max))
        ->excludes(remove)
        ->capture_default_str()
        ->type_name("N");
    command->footer("A broker reads the file again at SIGHUP.");
    command->callback([flags, &exit_status] { exit_status = change(*flags); });
}

}  // namespace fleetarium::cli
