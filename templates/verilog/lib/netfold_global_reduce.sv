// Reduces over the PIXELS of a frame, channel by channel; CHUNKS beats of LANES channels a pixel. Latency: 2.
module netfold_global_reduce #(
    parameter int PIXELS   = 16,
    parameter int CHUNKS   = 2,
    parameter int LANES    = 2,
    parameter int BITS     = 8,
    parameter bit SIGNED   = 1,
    parameter bit MAX      = 0,
    parameter int OUT_BITS = 12
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire                      in_valid,
    output wire                      in_take,
    input  wire [    LANES*BITS-1:0] in_data,
    input  wire                      out_space,
    output wire                      out_reserve,
    output wire                      out_put,
    output wire [LANES*OUT_BITS-1:0] out_data
);
  localparam int CW = CHUNKS > 1 ? $clog2(CHUNKS) : 1;
  localparam int PW = PIXELS > 1 ? $clog2(PIXELS) : 1;
  wire [CW-1:0] chunk;
  wire [PW-1:0] pixel;
  wire first_chunk, last_chunk, first_pixel, last_pixel;
  wire fire = in_valid && (out_space || !last_pixel);
  netfold_counter #(
      .N(CHUNKS)
  ) u_chunk (
      .clk(clk),
      .rst(rst),
      .step(fire),
      .value(chunk),
      .first(first_chunk),
      .last(last_chunk)
  );
  netfold_counter #(
      .N(PIXELS)
  ) u_pixel (
      .clk(clk),
      .rst(rst),
      .step(fire && last_chunk),
      .value(pixel),
      .first(first_pixel),
      .last(last_pixel)
  );
  assign in_take = fire;
  assign out_reserve = fire && last_pixel;

  reg [LANES*BITS-1:0] x;
  reg [CW-1:0] chunk_late;
  reg first;
  reg [LANES*OUT_BITS-1:0] total;
  wire [LANES*OUT_BITS-1:0] old;
  wire [LANES*OUT_BITS-1:0] sum;
  wire fired;
  always @(posedge clk) begin
    x <= in_data;
    chunk_late <= chunk;
    first <= first_pixel;
    if (fired) total <= sum;
  end
  netfold_delay #(
      .RESET(1)
  ) u_fired (
      .clk(clk),
      .rst(rst),
      .d  (fire),
      .q  (fired)
  );
  netfold_delay #(
      .STAGES(2),
      .RESET (1)
  ) u_put (
      .clk(clk),
      .rst(rst),
      .d  (out_reserve),
      .q  (out_put)
  );
  generate
    if (CHUNKS == 1) begin : g_register
      assign old = total;
      wire unused_late = &{1'b0, chunk_late};
    end else begin : g_memory
      // The same channels come again CHUNKS >= 2 firings later, when what is written here can be read.
      netfold_ram #(
          .WIDTH(LANES * OUT_BITS),
          .DEPTH(CHUNKS)
      ) u_totals (
          .clk(clk),
          .we(fired),
          .waddr(chunk_late),
          .wdata(sum),
          .re(1'b1),
          .raddr(chunk),
          .rdata(old)
      );
    end
    for (genvar l = 0; l < LANES; l = l + 1) begin : g_lane
      netfold_combine #(
          .BITS(BITS),
          .SIGNED(SIGNED),
          .MAX(MAX),
          .OUT(OUT_BITS)
      ) u_combine (
          .first(first),
          .old(old[l*OUT_BITS+:OUT_BITS]),
          .x(x[l*BITS+:BITS]),
          .result(sum[l*OUT_BITS+:OUT_BITS])
      );
    end
  endgenerate
  assign out_data = total;
  wire unused = &{1'b0, pixel, first_chunk};
endmodule
