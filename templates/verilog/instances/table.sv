  // Lanes {{ first_lane }}{% if ports > 1 %} and {{ first_lane + 1 }}{% endif %}.
{%- for lane in lanes %}
  wire [{{ index_bits - 1 }}:0] index{{ lane.lane }};
  wire above{{ lane.lane }};
  netfold_table_index #(
      .BITS({{ x_bits }}),
      .N({{ n }}),
      .FIRST({{ first }})
  ) u_index{{ lane.lane }} (
      .clk(clk),
      .x({{ lane.x }}),
      .index(index{{ lane.lane }}),
      .above(above{{ lane.lane }})
  );
  wire unused_above{{ lane.lane }} = above{{ lane.lane }};
{%- endfor %}
{{ rom.declaration }}  wire [{{ ports * rom.width - 1 }}:0] entry{{ first_lane }};
  netfold_rom #(
      {{ rom.parameters }},
      .PORTS({{ ports }}),
      .BLOCK({{ block }})
  ) u_table{{ first_lane }} (
      .clk(clk),
      .en(1'b1),
      .addr({{ address }}),
      .data(entry{{ first_lane }})
  );
