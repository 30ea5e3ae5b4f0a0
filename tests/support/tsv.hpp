#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

/// Tables of tab-separated values under the source folder, the first line being column names.
namespace fleetarium::test {

inline std::vector<std::string> split_fields(const std::string& line) {
    std::vector<std::string> fields(1);
    for (const char each : line) {
        if (each == '\t') {
            fields.emplace_back();
        } else {
            fields.back() += each;
        }
    }
    return fields;
}

/// The rows of `path` (from the source folder on) without the column names. Throws if the file
/// cannot be read, or if a row has another number of fields than the first line.
inline std::vector<std::vector<std::string>> read_tsv(const std::string& path) {
    std::ifstream file(std::string(FLEETARIUM_SOURCE_DIR) + "/" + path);
    std::string line;
    if (!std::getline(file, line)) {
        throw std::runtime_error("cannot read " + path);
    }
    const std::size_t columns = split_fields(line).size();
    std::vector<std::vector<std::string>> rows;
    while (std::getline(file, line)) {
        rows.push_back(split_fields(line));
        if (rows.back().size() != columns) {
            throw std::runtime_error("wrong number of fields in " + path + ": " + line);
        }
    }
    return rows;
}

}  // namespace fleetarium::test
