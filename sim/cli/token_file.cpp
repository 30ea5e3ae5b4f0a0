#include "token_file.hpp"

#include "run_live.hpp"

#include <fstream>

namespace fleetarium::cli {

std::string read_token(const std::string& file) {
    if (file.empty()) {
        return {};
    }
    std::ifstream in(file);
    std::string token;
    std::getline(in, token);
    if (token.ends_with('\r')) {
        token.pop_back();
    }
    if (token.empty()) {
        throw usage_error("found no token in the file \"" + file +
                          "\", expected one in its first line");
    }
    return token;
}

}  // namespace fleetarium::cli
