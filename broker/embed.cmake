# cmake -DFOLDER=... -DNAMES=... -DOUTPUT=... -DNAMESPACE=... -DFUNCTION=... -P embed.cmake: writes
# OUTPUT, a source with the files NAMES of FOLDER as arrays; see fleetarium_embed in CMakeLists.txt.

set(content_types html|text/html js|text/javascript mjs|text/javascript css|text/css txt|text/plain
    json|application/json svg|image/svg+xml png|image/png ico|image/x-icon woff2|font/woff2
    webmanifest|application/manifest+json)

list(SORT NAMES)
set(arrays "")
set(assets "")
set(number 0)
foreach(path IN LISTS NAMES)
    cmake_path(GET path EXTENSION LAST_ONLY extension)
    string(REGEX REPLACE "^\\." "" extension "${extension}")
    set(content_type "")
    foreach(each IN LISTS content_types)
        if(each MATCHES "^${extension}\\|(.*)$")
            set(content_type "${CMAKE_MATCH_1}")
        endif()
    endforeach()
    if(content_type MATCHES "^text/")
        string(APPEND content_type "; charset=utf-8")
    endif()
    if(content_type STREQUAL "")
        message(FATAL_ERROR "${FOLDER}/${path}: no content type is known for its ending; "
            "add it to embed.cmake")
    endif()
    if(NOT path MATCHES "^[A-Za-z0-9_./-]+$")
        message(FATAL_ERROR "${FOLDER}/${path}: a name of letters, digits, _ . / and - is expected")
    endif()
    file(READ ${FOLDER}/${path} bytes HEX)
    file(SHA256 ${FOLDER}/${path} digest)
    string(SUBSTRING ${digest} 0 16 digest)
    string(LENGTH "${bytes}" size)
    math(EXPR size "${size} / 2")
    string(REGEX REPLACE "(................................)" "\\1\n    " bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    # An array cannot be empty: one more byte, which does not count.
    string(APPEND arrays "const unsigned char file_${number}[] = {\n    ${bytes}0};\n")
    string(APPEND assets "        {\"/${path}\", \"${content_type}\",\n"
        "         {reinterpret_cast<const char*>(file_${number}), ${size}}, "
        "\"\\\"${digest}\\\"\"},\n")
    math(EXPR number "${number} + 1")
endforeach()
if(number EQUAL 0)
    message(FATAL_ERROR "${FOLDER}: there are no files to embed")
endif()

file(WRITE ${OUTPUT} "// Made by embed.cmake.

#include <fleetarium/server/http_asset.hpp>

namespace {

${arrays}
}  // namespace

namespace ${NAMESPACE} {

std::vector<fleetarium::broker::http_asset> ${FUNCTION}();

std::vector<fleetarium::broker::http_asset> ${FUNCTION}() {
    return {
${assets}    };
}

}  // namespace ${NAMESPACE}
")
