#include <fleetarium/dashboard/settings.hpp>

#include <fleetarium/dashboard/replace_file.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace fleetarium::dashboard {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view first_line = "# Fleetarium dashboard, settings 1";
constexpr std::string_view notes_line = "[imgui]";

bool is_name(std::string_view text) {
    if (text.empty()) {
        return false;
    }
    for (const char letter : text) {
        const bool fits = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '_' || letter == '.';
        if (!fits) {
            return false;
        }
    }
    return true;
}

bool is_text(std::string_view text) {
    for (const char letter : text) {
        if (static_cast<unsigned char>(letter) < 0x20 && letter != '\n') {
            return false;
        }
    }
    return true;
}

}  // namespace

std::string settings::default_path() {
    const auto folder = [](const char* name) {
        const char* const value = std::getenv(name);
        return fs::path(value == nullptr ? "" : value);
    };
    fs::path base = folder("XDG_CONFIG_HOME");
    // A relative one is to be ignored, by the rules of freedesktop.org.
    if (!base.is_absolute()) {
        base = folder("HOME");
        if (!base.is_absolute()) {
            return {};
        }
        base /= ".config";
    }
    return (base / "fleetarium" / "dashboard.ini").string();
}

settings::settings(std::string path) : path_(std::move(path)) {
    std::error_code error;
    if (path_.empty() || !fs::exists(path_, error)) {
        return;
    }
    std::ifstream file(path_, std::ios::binary);
    std::string content(bytes_max + 1, '\0');
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, file.gcount())));
    if (!file.eof() && (file.fail() || !file.is_open())) {
        notice_ = "the settings in " + path_ + " cannot be read (" + std::strerror(errno) +
                  "); those of a first start are used";
        return;
    }
    try {
        read(content);
    } catch (const std::runtime_error& problem) {
        values_.clear();
        imgui_notes_.clear();
        fs::rename(path_, path_ + ".broken", error);
        notice_ = "the settings in " + path_ + " are not understood (" + problem.what() +
                  "); those of a first start are used" +
                  (error ? std::string() : ", the file is now " + path_ + ".broken");
    }
}

void settings::read(const std::string& content) {
    if (content.size() > bytes_max) {
        throw std::runtime_error("more than " + std::to_string(bytes_max) + " bytes");
    }
    if (!is_text(content)) {
        throw std::runtime_error("not a text");
    }
    std::string_view rest = content;
    for (int number = 1; !rest.empty(); ++number) {
        const std::size_t end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        if (number == 1) {
            if (line != first_line) {
                throw std::runtime_error("line 1 is not \"" + std::string(first_line) + "\"");
            }
            continue;
        }
        if (line == notes_line) {
            imgui_notes_ = rest;
            return;
        }
        const std::size_t equals = line.find('=');
        if (equals == line.npos || !is_name(line.substr(0, equals))) {
            throw std::runtime_error("line " + std::to_string(number) + " is not NAME=VALUE");
        }
        values_.insert_or_assign(std::string(line.substr(0, equals)),
                                 std::string(line.substr(equals + 1)));
    }
    if (content.empty()) {
        throw std::runtime_error("it is empty");
    }
}

std::string settings::text(std::string_view name, std::string_view otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::string(otherwise) : found->second;
}

bool settings::flag(std::string_view name, bool otherwise) const {
    const std::string value = text(name);
    return value == "true" || (value != "false" && otherwise);
}

double settings::number(std::string_view name, double otherwise) const {
    const std::string value = text(name);
    double result = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), result);
    const bool whole = error == std::errc() && end == value.data() + value.size();
    return whole && std::isfinite(result) ? result : otherwise;
}

void settings::set(std::string_view name, std::string_view value) {
    if (!is_name(name) || !is_text(value) || value.find('\n') != value.npos) {
        throw std::logic_error(
            "a setting has a name of letters, digits, '_' and '.', and a value "
            "of one line");
    }
    std::string& kept = values_[std::string(name)];
    if (kept != value) {
        kept = value;
        changed_ = true;
    }
}

void settings::set(std::string_view name, bool value) {
    set(name, std::string_view(value ? "true" : "false"));
}

void settings::set(std::string_view name, double value) {
    char digits[32];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    set(name, std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

void settings::set_imgui_notes(std::string_view notes) {
    if (imgui_notes_ != notes) {
        imgui_notes_ = notes;
        changed_ = true;
    }
}

bool settings::save() {
    if (!changed_ || path_.empty()) {
        return true;
    }
    std::string content = std::string(first_line) + "\n";
    for (const auto& [name, value] : values_) {
        content += name + "=" + value + "\n";
    }
    content += std::string(notes_line) + "\n" + imgui_notes_;
    changed_ = false;  // one try for one change
    try {
        fs::create_directories(fs::path(path_).parent_path());
        replace_file(path_, content);
    } catch (const std::exception& problem) {
        notice_ = std::string("settings are not kept: ") + problem.what();
        return false;
    }
    return true;
}

}  // namespace fleetarium::dashboard
