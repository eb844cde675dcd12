// Permutes the WORDS beats of a frame through a double buffer. `source` is the input position of the next output beat;
// `source_next` asks for the one after. Both halves act on their own, once a cycle. Latency of the reading half: 1.
module netfold_reorder #(
    parameter int WORDS = 16,
    parameter int WIDTH = 8,
    parameter bit BLOCK = 0,
    parameter bit ULTRA = 0,
    localparam int AW = WORDS > 1 ? $clog2(WORDS) : 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             in_valid,
    output wire             in_take,
    input  wire [WIDTH-1:0] in_data,
    input  wire             out_space,
    output wire             out_reserve,
    output wire             out_put,
    output wire [WIDTH-1:0] out_data,
    input  wire [   AW-1:0] source,
    output wire             source_next
);
  wire [AW-1:0] write_at, read_at;
  wire write_first, write_last, read_first, read_last;
  reg write_bank, read_bank;
  reg [1:0] used;  // banks begun and not yet read
  reg [1:0] full;  // banks complete and not yet begun to be read
  wire write = in_valid && (!write_first || used != 2'd2);
  wire read = out_space && (!read_first || full != 2'd0);
  netfold_counter #(
      .N(WORDS)
  ) u_write (
      .clk(clk),
      .rst(rst),
      .step(write),
      .value(write_at),
      .first(write_first),
      .last(write_last)
  );
  netfold_counter #(
      .N(WORDS)
  ) u_read (
      .clk(clk),
      .rst(rst),
      .step(read),
      .value(read_at),
      .first(read_first),
      .last(read_last)
  );
  wire begin_write = write && write_first;
  wire end_write = write && write_last;
  wire begin_read = read && read_first;
  wire end_read = read && read_last;
  reg put;
  always @(posedge clk) begin
    if (rst) begin
      write_bank <= 1'b0;
      read_bank <= 1'b0;
      used <= 2'd0;
      full <= 2'd0;
      put <= 1'b0;
    end else begin
      if (end_write) write_bank <= !write_bank;
      if (end_read) read_bank <= !read_bank;
      used <= used + {1'b0, begin_write} - {1'b0, end_read};
      full <= full + {1'b0, end_write} - {1'b0, begin_read};
      put  <= read;
    end
  end
  assign in_take = write;
  assign out_reserve = read;
  assign out_put = put;
  assign source_next = read;
  localparam int BW = WORDS > 1 ? AW + 1 : 1;
  wire [AW:0] write_word = {write_bank, write_at};
  wire [AW:0] read_word = {read_bank, source};
  // Bank b occupies the words [b * 2^AW, b * 2^AW + WORDS).
  netfold_ram #(
      .WIDTH(WIDTH),
      .DEPTH(WORDS > 1 ? WORDS + (1 << AW) : 2),
      .BLOCK(BLOCK),
      .ULTRA(ULTRA)
  ) u_buffer (
      .clk(clk),
      .we(write),
      .waddr(write_word[AW-:BW]),
      .wdata(in_data),
      .re(1'b1),
      .raddr(read_word[AW-:BW]),
      .rdata(out_data)
  );
  wire unused = &{1'b0, read_at, write_word, read_word};
endmodule
